/** Where one container is in its life, from its plan until it is gone. */
export type ContainerState =
  /** Nothing is in the engine yet; folders that will be bound are looked at. */
  | 'preparing'
  | 'creating'
  | 'attaching'
  | 'starting'
  /** The engine has started it, and Node is not up yet. */
  | 'booting'
  /** Takes a call. */
  | 'idle'
  /** Loads its plugin before a call comes. */
  | 'loading'
  /** Belongs to a call that has not begun in it: its input is being checked. */
  | 'acquired'
  | 'executing'
  /** Has answered its call; work that is still under way goes on. */
  | 'answered'
  /** Its input is over, so that it leaves by itself. */
  | 'leaving'
  /** Its output is over, and the engine is asked why. */
  | 'silent'
  /** Is being removed, and what it wrote before is still heard. */
  | 'killed'
  /** Nothing more is heard of it. What the engine was asked for before may still be under way. */
  | 'ended'
  | 'removing'
  | 'gone';

export type ContainerEvent =
  | 'prepared'
  | 'created'
  | 'attached'
  | 'started'
  | 'ready'
  | 'load'
  | 'loaded'
  | 'acquire'
  | 'giveBack'
  | 'execute'
  | 'answer'
  | 'reuse'
  | 'hangUp'
  | 'outputOver'
  | 'kill'
  /** It failed, its end is known, or nobody waits for anything of it any more. */
  | 'end'
  | 'remove'
  | 'removed';

type Moves = Readonly<Partial<Record<ContainerEvent, ContainerState>>>;

/** While it serves, or will: its output can come to an end, and whoever uses it can. */
const ALIVE = { outputOver: 'silent', end: 'ended' } as const;

/** Every move that there is. What is not here does not happen: a late answer of the engine, or a second end, changes nothing. */
const MOVES: Readonly<Record<ContainerState, Moves>> = {
  preparing: { prepared: 'creating', end: 'ended' },
  creating: { created: 'attaching', end: 'ended' },
  attaching: { attached: 'starting', end: 'ended' },
  starting: { started: 'booting', end: 'ended' },
  booting: { ...ALIVE, ready: 'idle', kill: 'killed' },
  idle: { ...ALIVE, load: 'loading', acquire: 'acquired', execute: 'executing' },
  loading: { ...ALIVE, loaded: 'idle' },
  acquired: { ...ALIVE, giveBack: 'idle', execute: 'executing' },
  executing: { ...ALIVE, answer: 'answered', kill: 'killed' },
  answered: { ...ALIVE, reuse: 'idle', hangUp: 'leaving' },
  // Nobody asks why: it was told to.
  leaving: { outputOver: 'ended', end: 'ended' },
  silent: { kill: 'silent', end: 'ended' },
  killed: { outputOver: 'silent', end: 'ended' },
  ended: { remove: 'removing' },
  removing: { removed: 'gone' },
  gone: {},
};

export const CONTAINER_STATES = Object.keys(MOVES) as ContainerState[];

/** Where an event leads; `null`: it changes nothing there. */
export function nextState(state: ContainerState, event: ContainerEvent): ContainerState | null {
  return MOVES[state][event] ?? null;
}

const OVER: ReadonlySet<ContainerState> = new Set(['ended', 'removing', 'gone']);
const DYING: ReadonlySet<ContainerState> = new Set(['leaving', 'silent', 'killed', ...OVER]);

/** Whether nothing more is heard of it. */
export function isOver(state: ContainerState): boolean {
  return OVER.has(state);
}

/** Whether it may serve, now or later. */
export function isAlive(state: ContainerState): boolean {
  return !DYING.has(state);
}
