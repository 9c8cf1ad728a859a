/** The calls that an execution can make, by the request that each is. */
const CALLS = {
  ping: /^GET \/_ping/,
  version: /^GET \/version/,
  info: /^GET \/info/,
  listContainers: /^GET \/containers\/json/,
  listNetworks: /^GET \/networks(\?|$)/,
  inspectImage: /^GET \/images\/.+\/json/,
  loadImage: /^POST \/images\/load/,
  createNetwork: /^POST \/networks\/create/,
  createContainer: /^POST \/containers\/create/,
  inspectContainer: /^GET \/containers\/[^/]+\/json/,
  attach: /^POST \/containers\/[^/]+\/attach/,
  start: /^POST \/containers\/[^/]+\/start/,
  wait: /^POST \/containers\/[^/]+\/wait/,
  events: /^GET \/events/,
  removeContainer: /^DELETE \/containers\//,
  removeNetwork: /^DELETE \/networks\//,
} as const;

export type CallName = keyof typeof CALLS;
export const CALL_NAMES = Object.keys(CALLS) as CallName[];

export function toCallName(method = '', url = ''): CallName | undefined {
  const line = `${method} ${url.replace(/^\/v[\d.]+/, '')}`;
  return CALL_NAMES.find((name) => CALLS[name].test(line));
}

/** What can happen to one call. */
export const FAULTS = {
  refused: 'the connection closes before the engine hears of it',
  'answer lost': 'the engine does it, and the connection closes in place of an answer',
  slow: 'the engine hears of it a while later',
  'hangs before': 'the engine never hears of it, and no answer ever comes',
  'hangs after': 'the engine does it, and no answer ever comes',
  'done late': 'no answer comes in time, and the engine does it when the caller has left',
  'answer truncated': 'half of the answer comes, then the connection closes',
  garbage: 'the engine does it, and something that is not HTTP answers',
  'no JSON': 'the engine does it, and a page of HTML answers with status 200',
  'wrong status': 'the engine does it, and the answer has a status that nobody knows',
  'error 500': 'the engine answers that it failed, and did not do it',
  'error 500 though done': 'the engine does it, and answers that it failed',
} as const;

export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

/** These cost a deadline of lurkbox. */
export const HANGING: readonly Fault[] = ['hangs before', 'hangs after', 'done late'];

/** What can happen to an attached stream, after so many bytes of what came from the container. */
export const STREAM_FAULTS = {
  cut: 'the connection ends, as if the container had',
  reset: 'the connection ends with an error',
  garbage: 'bytes come that are no frame',
  stalled: 'nothing comes or goes any more, and the connection stays',
  deaf: 'nothing of what the host writes arrives, from the beginning',
} as const;

export type StreamFault = keyof typeof STREAM_FAULTS;
export const STREAM_FAULT_NAMES = Object.keys(STREAM_FAULTS) as StreamFault[];

export interface StreamDisturbance {
  readonly streamFault: StreamFault;
  readonly afterBytes: number;
}

/** Asked at each call, with the how manieth of its name it is, from 1; `null` leaves it alone. */
export type Chaos = (call: CallName, time: number) => Fault | null;

export const CALM: Chaos = () => null;

/** One fault at the first such call, or at every one, and nothing else. */
export function disturb(call: CallName, fault: Fault, times: 'once' | 'always' = 'once'): Chaos {
  return (name, time) => (name === call && (times === 'always' || time === 1) ? fault : null);
}
