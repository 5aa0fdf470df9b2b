/** Child process of the log's tests: writes so many lines to stdout, says on stderr that it has, and exits. */
import { createLogger, forPart } from '../../src/observe/logger.ts';

const lines = Number(process.argv[2]);
const log = forPart(createLogger({ level: 'info', nodeId: 'gpu-node-1' }), 'main');
for (let index = 0; index < lines; index += 1) log.info({ index }, 'a line');
process.stderr.write('written\n', () => process.exit(0));
