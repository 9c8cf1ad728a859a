import { spend } from '../json/size.ts';
import { frameRecord } from '../protocol/framing.ts';
import { EXECUTE_ID, type ExecuteParams, LOAD_ID, type LoadParams } from '../protocol/messages.ts';
import { EventLoopYielder } from './event-loop-yielder.ts';

/** Characters of a piece: a large context is not made as one text, and not in one turn of the event loop. */
const PIECE_CHARS = 32 * 1024;
const SMALL_BYTES = 4 * 1024;
const PART_MEMBERS = 64;

export const CANCEL_RECORD = frameRecord('{"jsonrpc":"2.0","method":"cancel"}');

/** How long the response to `load` is. */
export const LOADED_BYTES = frameRecord(`{"jsonrpc":"2.0","id":${LOAD_ID},"result":null}`).length;

/** Asks for the plugin to be loaded before its context is there. */
export function toLoadRecord(params: LoadParams): string {
  return frameRecord(JSON.stringify({ jsonrpc: '2.0', id: LOAD_ID, method: 'load', params }));
}

export interface ExecuteRequest extends ExecuteParams {
  /** @default that of the first of a container */
  readonly id?: number;
}

/** The request: a small one as one text, a large one in pieces of about the same size, which are made while they are read. */
export function toExecuteRecord({ id = EXECUTE_ID, ...params }: ExecuteRequest): string | Iterable<string> {
  if (!isSmall(params)) return inPieces(executeRecord(id, params));
  return frameRecord(JSON.stringify({ jsonrpc: '2.0', id, method: 'execute', params }));
}

function* executeRecord(id: number, params: ExecuteParams): Generator<string> {
  yield `\u001e{"jsonrpc":"2.0","id":${id},"method":"execute","params":`;
  yield* toJson(params);
  yield '}\n';
}

/** Whether a value surely has fewer bytes as JSON than any limit; found out in no time. */
export function isSmallJson(value: unknown): boolean {
  return isSmall(value);
}

/** How many bytes a value has as JSON. */
export async function countJsonBytes(value: unknown): Promise<number> {
  const yielder = new EventLoopYielder();
  let bytes = 0;
  for (const piece of inPieces(toJson(value))) {
    bytes += Buffer.byteLength(piece);
    if (yielder.isOver()) await yielder.next();
  }
  return bytes;
}

/** The same as one text; a large one is made while it is read, in turns with everything else. */
export function toJsonText(value: unknown): string | (() => AsyncIterable<string>) {
  return isSmall(value) ? JSON.stringify(value) : () => inTurns(value);
}

async function* inTurns(value: unknown): AsyncGenerator<string> {
  const yielder = new EventLoopYielder();
  for (const piece of inPieces(toJson(value))) {
    yield piece;
    if (yielder.isOver()) await yielder.next();
  }
}

function* inPieces(parts: Iterable<string>): Generator<string> {
  let piece = '';
  for (const part of parts) {
    piece += part;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** What `JSON.stringify` makes of a value that is JSON, part by part. */
function* toJson(value: unknown): Generator<string> {
  if (isSmall(value)) yield JSON.stringify(value);
  else if (typeof value === 'string') yield* textToJson(value);
  else if (Array.isArray(value)) yield* listToJson(value);
  else yield* objectToJson(Object.entries(value as object));
}

function* textToJson(text: string): Generator<string> {
  yield '"';
  for (let at = 0; at < text.length; ) {
    let end = at + PIECE_CHARS;
    // The halves of a character would each be written as an escape.
    if (isFirstHalf(text.charCodeAt(end - 1))) end--;
    yield inner(JSON.stringify(text.slice(at, end)));
    at = end;
  }
  yield '"';
}

function isFirstHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function* listToJson(list: readonly unknown[]): Generator<string> {
  for (let at = 0; at < list.length; at += PART_MEMBERS) {
    yield at === 0 ? '[' : ',';
    const part = list.slice(at, at + PART_MEMBERS);
    if (isSmall(part)) yield inner(JSON.stringify(part));
    else yield* separately(part, toJson);
  }
  yield ']';
}

function* objectToJson(members: readonly [string, unknown][]): Generator<string> {
  for (let at = 0; at < members.length; at += PART_MEMBERS) {
    yield at === 0 ? '{' : ',';
    const part = members.slice(at, at + PART_MEMBERS);
    if (isSmall(part)) yield inner(JSON.stringify(Object.fromEntries(part)));
    else yield* separately(part, memberToJson);
  }
  yield '}';
}

function* memberToJson([key, value]: readonly [string, unknown]): Generator<string> {
  yield* toJson(key);
  yield ':';
  yield* toJson(value);
}

function* separately<Member>(
  members: readonly Member[],
  write: (member: Member) => Generator<string>,
): Generator<string> {
  for (const [index, member] of members.entries()) {
    if (index > 0) yield ',';
    yield* write(member);
  }
}

function inner(json: string): string {
  return json.slice(1, -1);
}

/** Whether writing a value takes next to no time. */
function isSmall(value: unknown): boolean {
  return spend(value, SMALL_BYTES) >= 0;
}
