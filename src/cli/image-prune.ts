import type { ImageStore, Lurkbox, PrunedImage, PrunePlan } from '../index.ts';
import { quotePath } from '../printable.ts';
import { askFor, isTerminal } from './ask.ts';
import { EXIT } from './exit.ts';
import { formatBytes, formatTable, print, printJson } from './output.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

export interface ImagePruneOptions extends CommonOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

/**
 * Removes the images that neither this workspace nor another one of this user needs. With `all` every image of lurkbox, which are
 * listed first, and removed where `--yes` or somebody at a terminal says so.
 */
export async function imagePrune(options: ImagePruneOptions): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const images = await lurkbox.images();
    const all = options.all === true;
    const keep = all ? new Set<string>() : await tagsInUse(lurkbox, images);
    const plan = await images.planPrune({ keep, all });
    if (all && plan.remove.length > 0 && options.yes !== true && !(await isAgreed(plan, options)))
      return tellNothingDone(plan, options);
    // What was shown, and nothing that came since.
    const only = new Set(plan.remove.map(({ image }) => image.tag));
    const { removed, freedBytes } = await images.prune({ keep, all, only });
    const { leave, gone } = plan;
    if (options.json) printJson({ removed, freedBytes, left: leave.map(toJson), gone });
    else {
      const what = `Removed ${removed.join(', ')}: ${formatBytes(freedBytes)}.`;
      print(removed.length === 0 ? 'Nothing to remove.' : what);
      for (const line of linesOf(plan)) print(line);
    }
    return EXIT.ok;
  });
}

/** Of the active versions, and of those that a rollback can go back to; whether they are there or not. */
async function tagsInUse(lurkbox: Lurkbox, images: ImageStore): Promise<Set<string>> {
  await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
  const named = await Promise.all(
    lurkbox.plugins
      .neededVersions()
      .map((version) => images.nameOf(version, { exec: version.manifest.permissions.exec })),
  );
  return new Set(named.flatMap((image) => image?.tag ?? []));
}

async function isAgreed({ remove }: PrunePlan, { json }: ImagePruneOptions): Promise<boolean> {
  if (json === true) return false;
  print(formatTable(['image', 'plugin', 'size', 'needed by'], remove.map(toRow)));
  return isTerminal() && (await askFor(`Remove these ${remove.length} images?`));
}

function toRow({ image, workspaces }: PrunedImage): string[] {
  const { tag, plugin, version, sizeBytes } = image;
  const name = plugin === null ? '' : `${plugin} ${version ?? ''}`;
  return [tag, name, formatBytes(sizeBytes), showSome(workspaces)];
}

function tellNothingDone({ remove, leave, gone }: PrunePlan, { json }: ImagePruneOptions): number {
  if (json === true)
    printJson({
      removed: [],
      freedBytes: 0,
      left: [...remove, ...leave].map(toJson),
      gone,
    });
  else
    print(
      'Nothing is removed. `lurkbox image prune --all --yes` removes them, those of other workspaces too.',
    );
  return EXIT.failed;
}

function toJson({ image, workspaces }: PrunedImage): { tag: string; workspaces: readonly string[] } {
  return { tag: image.tag, workspaces };
}

/** What is left, and why. */
function linesOf({ leave, gone }: PrunePlan): string[] {
  const needed = leave.filter(({ workspaces }) => workspaces.length > 0);
  const workspaces = showSome([...new Set(needed.flatMap((one) => one.workspaces))]);
  const foreign = leave.length - needed.length;
  return [
    ...(needed.length > 0 ? [`Left for other workspaces, ${workspaces}: ${count(needed.length)}.`] : []),
    ...(foreign > 0 ? [`Left because this user did not make them: ${count(foreign)}.`] : []),
    ...(gone.length > 0 ? [`Workspaces that are gone, and need no image any more: ${showSome(gone)}.`] : []),
    ...(leave.length > 0 ? ['`--all` lists and removes these too.'] : []),
  ];
}

const SHOWN_PATHS = 5;

function showSome(paths: readonly string[]): string {
  const shown = paths.slice(0, SHOWN_PATHS).map(quotePath).join(', ');
  return paths.length > SHOWN_PATHS ? `${shown} and ${paths.length - SHOWN_PATHS} more` : shown;
}

function count(images: number): string {
  return images === 1 ? '1 image' : `${images} images`;
}
