const MAX_URL_CHARS = 256;
/** `example.org`, `.example.org`, `*.example.org`, `10.0.0.7`, `[fd00::7]`, each with a port behind it, or `*`. */
const EXCEPTION =
  /^(?:\*|(?:\*?\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?)$/;

/** What is wrong with the address of a proxy; `null`: nothing. */
export function proxyUrlFault(text: string): string | null {
  const expected = 'expected an address such as "http://proxy.example.org:3128"';
  if (text.length > MAX_URL_CHARS || !/^[\x21-\x7e]+$/.test(text)) return expected;
  const url = URL.parse(text);
  // Refused with words of its own, without what was written.
  if (hasCredentials(text)) return null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return expected;
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || /[?#]/.test(text))
    return `${expected}, without a path`;
  return null;
}

/** Told apart from other faults, because those quote what was written. */
export function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}

export function isProxyException(text: string): boolean {
  return EXCEPTION.test(text);
}
