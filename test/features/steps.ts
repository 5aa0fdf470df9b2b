/** All steps of all features. The one setup file: what a setup file imports is loaded once, setup files themselves are not. */
import './steps/clock.ts';
import './steps/control-plane.ts';
import './steps/engines.ts';
import './steps/gpus.ts';
import './steps/handoffs.ts';
import './steps/nodes.ts';
import './steps/orders.ts';
import './steps/pools.ts';
import './steps/refusals.ts';
import './steps/world.ts';
