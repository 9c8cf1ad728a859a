import { LurkboxError } from './errors.ts';
import type { PluginEvents } from './events/plugin-events.ts';
import { createLurkbox, type Lurkbox } from './lurkbox.ts';
import type { LurkboxOptions } from './options.ts';
import type { HotReloadManager } from './versions/hot-reload/hot-reload-manager.ts';
import type { PluginLoader } from './versions/plugin-loader.ts';
import type { PluginManager } from './versions/plugin-manager.ts';
import type { PluginRegistry } from './versions/registry/registry.ts';

/**
 * One lurkbox for a whole process, for code that has no way to pass it on. A convenience over `createLurkbox`, and the only file of
 * the library that keeps state in a module.
 */
let open: {
  readonly lurkbox: Promise<Lurkbox>;
  ready: Lurkbox | null;
  /** There from when `ready` is; watches nothing before its `start`. */
  hotReload: HotReloadManager | null;
} | null = null;

/**
 * Opens the lurkbox of this process; while it is open the same one is answered.
 * @throws LurkboxError `OPTIONS_INVALID` when options are given and it is open already, or what `createLurkbox` throws
 */
export async function openLurkbox(options?: LurkboxOptions): Promise<Lurkbox> {
  if (open !== null && options !== undefined)
    throw new LurkboxError(
      'OPTIONS_INVALID',
      'The lurkbox of this process is open already; close it first, or call `openLurkbox()` without options.',
    );
  open ??= { lurkbox: createLurkbox(options), ready: null, hotReload: null };
  const opening = open;
  try {
    const lurkbox = await opening.lurkbox;
    opening.hotReload ??= lurkbox.hotReload();
    opening.ready = lurkbox;
    return lurkbox;
  } catch (error) {
    if (open === opening) open = null;
    throw error;
  }
}

/** Closes it, its watching included. Fine to call when none is open. */
export async function closeLurkbox(): Promise<void> {
  const closing = open;
  open = null;
  await closing?.hotReload?.stop();
  // One that could not be opened has nothing to close.
  await (await closing?.lurkbox.catch(() => null))?.close();
}

/** @throws LurkboxError `STATE_INVALID` before `openLurkbox` has resolved */
export function getLurkbox(): Lurkbox {
  if (open?.ready) return open.ready;
  throw new LurkboxError('STATE_INVALID', 'No lurkbox is open in this process; `await openLurkbox()` first.');
}

export function getPluginManager(): PluginManager {
  return getLurkbox().plugins;
}

export function getPluginLoader(): PluginLoader {
  return getLurkbox().loader;
}

export function getPluginRegistry(): PluginRegistry {
  return getLurkbox().registry;
}

export function getPluginEvents(): PluginEvents {
  return getLurkbox().events;
}

/** Watches nothing before its `addPath` and `start`. */
export function getHotReloadManager(): HotReloadManager {
  getLurkbox();
  return open?.hotReload as HotReloadManager;
}
