import { setFlagsFromString } from 'node:v8';

export function execute() {
  setFlagsFromString('--allow-natives-syntax');
  new Function('%SystemBreak()')();
}
