import { isIPv4, isIPv6 } from 'node:net';

const FOUR_GROUPS = /(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\w)/g;
/** `version 1.2.3.4` has the form of an address and is none. */
const VERSION_BEFORE = /\b(?:v|ver|version|release|build|firmware)[\s.:=]{0,3}$/i;

const HEX_AND_COLONS = /(?<![\w:.])[0-9a-f:][0-9a-f:.]{1,44}(?![\w:])/gi;

export function* findIpv4(text) {
  for (const { index, 0: written } of text.matchAll(FOUR_GROUPS)) {
    const isVersion = VERSION_BEFORE.test(text.slice(Math.max(0, index - 12), index));
    if (isIPv4(written) && !isVersion) yield { start: index, end: index + written.length };
  }
}

export function* findIpv6(text) {
  for (const { index, 0: written } of text.matchAll(HEX_AND_COLONS)) {
    const address = written.replace(/\.+$/, '');
    // A digit is asked for because `dead::beef` and `Abc::def` are also names in code.
    if (/\d/.test(address) && isIPv6(address)) yield { start: index, end: index + address.length };
  }
}
