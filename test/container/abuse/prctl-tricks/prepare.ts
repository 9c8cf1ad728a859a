export { compileProbe as prepare } from '../../../helpers/compile-probe.ts';
