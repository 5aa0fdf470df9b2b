/** Every statechart, by the name its lines have in the journal. A chart that is missing here is one that no replay can fold. */
import { gpuMachine } from './gpu/machine.ts';
import { nodeMachine } from './node/machine.ts';
import { poolMachine } from './pool/machine.ts';
import { registrationMachine } from './registration/machine.ts';

export const charts = { pool: poolMachine, node: nodeMachine, registration: registrationMachine, gpu: gpuMachine } as const;
