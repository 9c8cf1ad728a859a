import { join, resolve } from 'node:path';
import {
  describeError,
  type HotReload,
  HotReloadManager,
  type Logger,
  type LurkboxError,
  type Reloader,
} from '../index.ts';
import { createLogger } from '../logger.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { interruption } from './interruption.ts';
import { formatMs, paint, print, printJson, tell, toWarning } from './output.ts';
import { type CommonOptions, isFolder, withLurkbox } from './workspace.ts';

/** Keeps what serves at what is in the folders, until Ctrl-C. Without a folder, for all of the workspace. */
export async function dev(folder: string | undefined, options: CommonOptions): Promise<number> {
  return withLurkbox(options, (lurkbox, progress) =>
    watchUntil(interruption('stopping'), toPath(lurkbox.workspaceRoot, folder), {
      reloader: lurkbox.reloader,
      logger: createLogger(options.log),
      json: options.json ?? false,
      warningsOf: (name) => lurkbox.plugins.get(name)?.warnings ?? [],
      beforePrint: () => progress.end(),
    }),
  );
}

function toPath(workspaceRoot: string, folder: string | undefined): string {
  const plugins = join(workspaceRoot, 'plugins');
  if (folder === undefined) return plugins;
  return isFolder(folder) ? resolve(folder) : join(plugins, folder);
}

export interface WatchOptions {
  readonly reloader: Reloader;
  readonly logger: Logger;
  readonly json: boolean;
  readonly debounceMs?: number;
  /** What the author of a plugin should know of what serves now. */
  readonly warningsOf: (plugin: string) => readonly string[];
  /** Takes away what would be in the way of a line on the terminal. */
  readonly beforePrint: () => void;
}

/** Answers an exit code: OK at the signal, another when nothing is watched any more. */
export async function watchUntil(signal: AbortSignal, path: string, options: WatchOptions): Promise<number> {
  const { json, beforePrint, warningsOf, ...rest } = options;
  const over = Promise.withResolvers<number>();
  signal.addEventListener('abort', () => over.resolve(EXIT.ok), { once: true });
  const show = (document: object, text: string): void => {
    beforePrint();
    if (json) printJson(document);
    else print(text);
  };
  await using hotReload = new HotReloadManager({
    ...rest,
    watchPaths: [path],
    onReload: (folder, reload) => {
      const warnings = warningsOf(reload.name);
      const lines = [describeReload(reload), ...warnings.map((warning) => `  ${toWarning(warning)}`)];
      show({ event: 'reloaded', folder, ...reload, warnings }, lines.join('\n'));
    },
    onRemoved: (folder) =>
      show({ event: 'removed', folder }, `${paint('yellow', '−')} ${escapeControls(folder)} is gone`),
    onError: (folder, error) => {
      const { code, message, problems } = error;
      show({ event: 'failed', folder, code, message, problems }, describeFailure(folder, error));
      if (hotReload.paths.length === 0) over.resolve(exitCodeOf(code));
    },
  });
  await hotReload.start();
  if (!signal.aborted) tell(`lurkbox: watching ${quotePath(path)} until Ctrl-C`);
  else over.resolve(EXIT.ok);
  return await over.promise;
}

function describeReload({ name, version, digest, reloadMs, built, buildMs }: HotReload): string {
  const shortDigest = `${digest.slice(0, 'sha256:'.length + 8)}…`;
  const image = built ? ` (image built in ${formatMs(buildMs)})` : '';
  return `${paint('green', '✔')} ${paint('bold', name)} ${version} ${shortDigest} live after ${formatMs(reloadMs)}${image}`;
}

function describeFailure(folder: string, error: LurkboxError): string {
  const lines = describeError(error).split('\n').map(escapeControls).join('\n  ');
  return `${paint('red', '✖')} ${escapeControls(folder)}\n  ${lines}`;
}
