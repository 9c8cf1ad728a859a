export { runProbe as execute } from './attempt.mjs';
