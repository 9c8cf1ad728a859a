// The door to the kinds of engines that there are. Nobody outside of this folder names one of them.

export { connectEngine } from './docker/connect.ts';
export { type EngineWitness, witnessEngine } from './docker/witness.ts';
