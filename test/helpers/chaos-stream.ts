import type { Duplex } from 'node:stream';
import type { StreamDisturbance } from './chaos-faults.ts';

/** So long has the host to write what is never read, which is what makes the kernel reset a connection that is closed. */
const RESET_AFTER_MS = 300;

/** Passes an attached stream on in both directions, until the fault comes. */
export function joinStreams(
  host: Duplex,
  engine: Duplex,
  head: Buffer,
  fault: StreamDisturbance | null,
): void {
  const outgoing = toOutgoing(fault);
  let bytes = 0;
  let isBroken = false;
  if (outgoing === 'unread') host.pause();
  else host.on('data', (chunk) => outgoing === 'passed on' && !isStalled() && engine.write(chunk));
  host.on('end', () => engine.destroy());
  engine.on('end', () => isBroken || host.end());
  if (head.length > 0) take(head);
  engine.on('data', take);

  function take(chunk: Buffer): void {
    if (isBroken) return;
    bytes += chunk.length;
    if (fault === null || fault.streamFault === 'deaf' || bytes <= fault.afterBytes)
      return void host.write(chunk);
    isBroken = true;
    host.write(chunk.subarray(0, chunk.length - (bytes - fault.afterBytes)));
    breakStream(fault.streamFault, host, engine);
  }

  function isStalled(): boolean {
    return isBroken && fault?.streamFault === 'stalled';
  }
}

function toOutgoing(fault: StreamDisturbance | null): 'passed on' | 'swallowed' | 'unread' {
  if (fault?.streamFault === 'deaf') return 'swallowed';
  return fault?.streamFault === 'reset' ? 'unread' : 'passed on';
}

function breakStream(fault: StreamDisturbance['streamFault'], host: Duplex, engine: Duplex): void {
  if (fault === 'garbage') host.write('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  if (fault === 'cut') {
    host.end();
    engine.destroy();
  }
  if (fault === 'reset') {
    setTimeout(() => {
      host.destroy();
      engine.destroy();
    }, RESET_AFTER_MS);
  }
}
