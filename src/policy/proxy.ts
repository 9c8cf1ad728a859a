import * as z from 'zod';
import { strictObject } from '../documents/strict-object.ts';
import { listOf } from '../manifest/fields.ts';

const EXPECTED_URL = 'expected an address such as "http://proxy.example.org:3128"';
const MAX_URL_CHARS = 256;
/** `example.org`, `.example.org`, `*.example.org`, `10.0.0.7`, `[fd00::7]`, each with a port behind it, or `*`. */
const EXCEPTION =
  /^(?:\*|(?:\*?\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?)$/;

/** What is wrong with the address of a proxy; `null`: nothing. */
function proxyUrlFault(text: string): string | null {
  if (text.length > MAX_URL_CHARS || !/^[\x21-\x7e]+$/.test(text)) return EXPECTED_URL;
  const url = URL.parse(text);
  // Refused with words of its own, without what was written.
  if (hasCredentials(text)) return null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return EXPECTED_URL;
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || /[?#]/.test(text))
    return `${EXPECTED_URL}, without a path`;
  return null;
}

/** Told apart from other faults, because those quote what was written. */
export function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}

function isProxyException(text: string): boolean {
  return EXCEPTION.test(text);
}

/** The way out, as a policy names it. */
export const ProxySchema = strictObject({
  url: z
    .string(EXPECTED_URL)
    .check((context) => {
      const message = proxyUrlFault(context.value);
      if (message !== null) context.issues.push({ code: 'custom', message, input: context.value });
    })
    .describe(
      '`http:` or `https:`, host and port. No name and password: the plugin could read them. The container must reach it.',
    ),
  no_proxy: listOf(
    z
      .string(
        'expected a host such as "example.org", ".example.org", "10.0.0.7" or "*", with a port behind a colon where only that is meant',
      )
      .max(256)
      .refine(isProxyException),
    { max: 64 },
  )
    .default([])
    .describe('Hosts that are reached straight; the loopback of the container always is.'),
});
