/**
 * What the executable with Node inside begins with, as `bin/pool-managerd.js` does elsewhere: one program, five entrances. Only
 * what is asked for is evaluated.
 */
import { nvmlProbeCommand, stubEngineCommand } from './os/self.ts';

const [command, ...more] = process.argv.slice(2);

switch (command) {
  // What units start is to load little.
  case 'engine-exec':
    void import('./engine-exec/main.ts');
    break;
  case nvmlProbeCommand:
    void import('./gpu/nvml/main.ts');
    break;
  case stubEngineCommand:
    // It reads its own arguments only.
    process.argv.splice(2, 1);
    void import('./demo/stub-llama-server.ts');
    break;
  case 'serve':
    void (more.length === 0 ? import('./serve-main.ts') : import('./main.ts'));
    break;
  default:
    void import('./main.ts');
}
