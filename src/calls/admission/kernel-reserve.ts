/**
 * What the kernel can hold for one container beyond its memory limit: the buffers of 256 descriptors that are all sockets.
 * Measured: 72 MB in queues of connections that nobody accepted, 84 MB in datagrams, on cgroup v1.
 */
const UNCOUNTED_BYTES = 96 * 1024 * 1024;
/** Not every container attacks at once; on a small host there would be no memory left to give. */
const MOST_OF_HOST = 1 / 4;

/** Of the memory of the engine's host, how much containers may be granted: the rest is for what no limit counts. */
export function withoutKernelReserve(hostBytes: number, concurrency: number): number {
  return hostBytes - Math.min(concurrency * UNCOUNTED_BYTES, Math.floor(hostBytes * MOST_OF_HOST));
}
