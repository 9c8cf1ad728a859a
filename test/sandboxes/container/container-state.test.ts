import { describe, expect, test } from 'vitest';
import {
  CONTAINER_STATES,
  type ContainerEvent,
  type ContainerState,
  isAlive,
  isOver,
  nextState,
} from '../../../src/sandboxes/container/container-state.ts';

/** Every move that a container makes. Each state is left by the events of its row, and by no other. */
const TABLE: Readonly<Record<ContainerState, Partial<Record<ContainerEvent, ContainerState>>>> = {
  preparing: { prepared: 'creating', end: 'ended' },
  creating: { created: 'attaching', end: 'ended' },
  attaching: { attached: 'starting', end: 'ended' },
  starting: { started: 'booting', end: 'ended' },
  booting: { ready: 'idle', kill: 'killed', outputOver: 'silent', end: 'ended' },
  idle: { load: 'loading', acquire: 'acquired', execute: 'executing', outputOver: 'silent', end: 'ended' },
  loading: { loaded: 'idle', outputOver: 'silent', end: 'ended' },
  acquired: { giveBack: 'idle', execute: 'executing', outputOver: 'silent', end: 'ended' },
  executing: { answer: 'answered', kill: 'killed', outputOver: 'silent', end: 'ended' },
  answered: { reuse: 'idle', hangUp: 'leaving', outputOver: 'silent', end: 'ended' },
  leaving: { outputOver: 'ended', end: 'ended' },
  silent: { kill: 'silent', end: 'ended' },
  killed: { outputOver: 'silent', end: 'ended' },
  ended: { remove: 'removing' },
  removing: { removed: 'gone' },
  gone: {},
};
const STATES = Object.keys(TABLE) as ContainerState[];
const EVENTS: readonly ContainerEvent[] = [
  'prepared',
  'created',
  'attached',
  'started',
  'ready',
  'load',
  'loaded',
  'acquire',
  'giveBack',
  'execute',
  'answer',
  'reuse',
  'hangUp',
  'outputOver',
  'kill',
  'end',
  'remove',
  'removed',
];

const walk = (from: ContainerState, ...events: readonly ContainerEvent[]): ContainerState | null =>
  events.reduce<ContainerState | null>((state, event) => state && nextState(state, event), from);

test('this test covers every state of a container', () => {
  expect(STATES.toSorted()).toEqual(CONTAINER_STATES.toSorted());
});

describe.each(STATES)('a container that is %s', (state) => {
  test.each(EVENTS)('moves at `%s` as the table says, or not at all', (event) => {
    expect(nextState(state, event)).toBe(TABLE[state][event] ?? null);
  });
});

describe('the life of a container', () => {
  const START = ['prepared', 'created', 'attached', 'started', 'ready'] as const;

  test.each<[title: string, events: readonly ContainerEvent[], state: ContainerState]>([
    ['that a call starts', ['execute', 'answer', 'hangUp', 'outputOver', 'remove', 'removed'], 'gone'],
    ['that waits loaded for its call', ['load', 'loaded', 'acquire', 'execute'], 'executing'],
    ['whose call did not begin', ['load', 'loaded', 'acquire', 'giveBack', 'acquire'], 'acquired'],
    ['that is reused', ['execute', 'answer', 'reuse', 'acquire', 'execute', 'answer'], 'answered'],
    ['that is killed at its deadline', ['execute', 'kill', 'outputOver', 'end', 'remove', 'removed'], 'gone'],
    ['that crashes', ['execute', 'outputOver', 'end', 'remove', 'removed'], 'gone'],
  ])('%s', (_title, events, state) => {
    expect(walk('preparing', ...START, ...events)).toBe(state);
  });

  test('never leads from its end back to a state that serves calls', () => {
    for (const state of STATES.filter(isOver))
      for (const event of EVENTS) {
        const next = nextState(state, event);
        if (next !== null) expect(isOver(next)).toBe(true);
      }
  });

  test('can be ended in every state but the last', () => {
    for (const state of STATES.filter((each) => !isOver(each))) expect(nextState(state, 'end')).toBe('ended');
  });

  test('reaches a second call only through an answer to the first', () => {
    const before = STATES.filter((state) =>
      EVENTS.some(
        (event) =>
          event !== 'loaded' &&
          event !== 'giveBack' &&
          event !== 'ready' &&
          nextState(state, event) === 'idle',
      ),
    );
    expect(before).toEqual(['answered']);
  });

  test('ends before the container is removed', () => {
    expect(STATES.filter(isOver)).toEqual(['ended', 'removing', 'gone']);
    expect(STATES.filter((state) => !isAlive(state) && !isOver(state))).toEqual([
      'leaving',
      'silent',
      'killed',
    ]);
  });
});
