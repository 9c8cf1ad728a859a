/** Half as much again as there is: with swap it would be had. */
export function execute() {
  const buffer = new Uint8Array(144 * 1024 * 1024);
  for (let at = 0; at < buffer.length; at += 4096) buffer[at] = 1;
  return buffer.length;
}
