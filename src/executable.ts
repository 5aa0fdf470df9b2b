/**
 * What the executable with Node inside begins with, as `bin/pool-managerd.js` does elsewhere: one program, four entrances. Only
 * what is asked for is evaluated.
 */
import { nvmlProbeCommand, stubEngineCommand } from './os/self.ts';

switch (process.argv[2]) {
  // The first process of an engine's unit is to load little.
  case 'engine-exec':
    await import('./engine-exec/main.ts');
    break;
  case nvmlProbeCommand:
    await import('./gpu/nvml/main.ts');
    break;
  case stubEngineCommand:
    // It reads its own arguments only.
    process.argv.splice(2, 1);
    await import('./demo/stub-llama-server.ts');
    break;
  default:
    await import('./main.ts');
}
