import { mkdirSync, watch } from 'node:fs';

export function execute() {
  let watched = 0;
  try {
    for (let index = 0; index < 2000; index++) {
      mkdirSync(`/tmp/${index}`);
      watch(`/tmp/${index}`, () => {});
      watched++;
    }
  } catch (error) {
    return error.code;
  }
  return watched;
}
