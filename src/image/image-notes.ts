import * as z from 'zod';
import { parseJson } from '../json/reader.ts';
import { LABELS } from '../labels.ts';
import { cutWhole, escapeControls, printable, quotePath } from '../printable.ts';
import { type ImageContent, subjectOf } from './content-survey.ts';
import { installScriptNotes } from './install-scripts.ts';
import { type MissingNeed, NativeFiles, type NativePlatform } from './native-needs.ts';

/** Nobody reads more. */
const MAX_NOTES = 10;
const MAX_NOTE_CHARS = 800;
const SHOWN_NEEDS = 4;
/** Length of the label that holds all of them, with room for escapes. */
const MAX_LABEL_CHARS = 64 * 1024;

/**
 * What of a plugin's packages will not work in its image, for the author: native files that cannot be loaded, and packages that
 * only an install script makes whole. Nothing of it is a failure, since what nobody loads does no harm.
 */
export function imageNotes(
  content: ImageContent,
  platform: NativePlatform,
  /** Names of the packages that the plugin itself asks for. */
  dependencies: readonly string[],
): string[] {
  const natives = new NativeFiles(content, platform);
  const notes = [
    ...[...natives.addons].flatMap(([folder, addons]) =>
      addonNotes({ subject: subjectOf(folder, content), folder, addons }, natives, platform),
    ),
    ...installScriptNotes(content, natives, dependencies),
  ];
  if (content.leftOut > 0) notes.push(`${content.leftOut} more native files were not looked at.`);
  const more = notes.length - MAX_NOTES;
  const shown = notes.slice(0, MAX_NOTES).map((note) => cutWhole(note, MAX_NOTE_CHARS));
  return more <= 0 ? shown : [...shown, `${more} more notes of this kind are left out.`];
}

interface Addons {
  readonly subject: string;
  readonly folder: string;
  readonly addons: readonly string[];
}

function addonNotes(
  { subject, folder, addons }: Addons,
  natives: NativeFiles,
  platform: NativePlatform,
): string[] {
  // Packages bring builds for many systems, and not each of them says which one it is for.
  if (folder !== '' && natives.hasAddon(folder)) return [];
  const own = addons.filter((addon) => natives.madeFor(addon) === 'this platform');
  if (own.length === 0) {
    const others = [...new Set(addons.map((addon) => natives.madeFor(addon)))].join(', ');
    return [
      `${subject} has native parts for other platforms only (${others}); the image is linux/${platform.architecture} with glibc. Use a version that is built for it too.`,
    ];
  }
  const missing = own.flatMap((addon) => natives.missingFor(addon));
  const kinds: readonly MissingNeed[][] = [
    missing.filter(({ version, elsewhere }) => version === null && elsewhere === null),
    missing.filter(({ elsewhere }) => elsewhere !== null),
    missing.filter(({ version }) => version !== null),
  ];
  return kinds
    .filter((same) => same.length > 0)
    .map((same) => `${subject}: ${filesOf(same, folder)} ${missingNote(same, platform)}`);
}

function filesOf(same: readonly MissingNeed[], folder: string): string {
  const files = [...new Set(same.map(({ file }) => file))];
  const [first = '', ...others] = files.map((file) => quotePath(withoutFolder(file, folder)));
  return others.length === 0 ? `${first} needs` : `${first} and ${others.length} more need`;
}

function missingNote(same: readonly MissingNeed[], { libraries }: NativePlatform): string {
  const [{ version, elsewhere }] = same as [MissingNeed];
  const list = (say: (need: MissingNeed) => string): string => {
    const all = [...new Set(same.map(say))];
    const more = all.length - SHOWN_NEEDS;
    return `${all.slice(0, SHOWN_NEEDS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  };
  if (version !== null) {
    const newest = (need: MissingNeed) => libraries.newest(need.library, need.version ?? '') ?? 'none such';
    const versions = list(
      (need) =>
        `${printable(need.version ?? '')} of ${printable(need.library)} (the image has ${newest(need)} at most)`,
    );
    return `${versions} and cannot be loaded. Use a version of the package that is built for an older glibc, or build the image on a newer host.`;
  }
  if (elsewhere !== null)
    return `${list(({ library }) => printable(library))}, which lies at ${quotePath(elsewhere)}, where the loader does not look; unless the package loads that first, it cannot be loaded.`;
  return `${list(({ library }) => printable(library))}, which neither the packages nor the image have, and cannot be loaded. Use a package that brings its libraries along.`;
}

function withoutFolder(file: string, folder: string): string {
  return folder !== '' && file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
}

const NotesSchema = z
  .array(z.string())
  .catch([])
  // One more says how many there are beyond these, and one how many files were not looked at.
  .transform((notes) =>
    notes.slice(0, MAX_NOTES + 2).map((note) => escapeControls(cutWhole(note, MAX_NOTE_CHARS))),
  );

/** Of an image that lurkbox made. Who else uses the engine can have made another one with the same labels. */
export function readImageNotes(labels: Readonly<Record<string, string>>): readonly string[] {
  const text = labels[LABELS.imageNotes];
  if (text === undefined || text.length > MAX_LABEL_CHARS) return [];
  const reading = parseJson(text);
  return NotesSchema.parse(reading.ok ? reading.value : null);
}

/** As labels of the image; none without a note. */
export function toNoteLabels(notes: readonly string[]): Record<string, string> {
  return notes.length === 0 ? {} : { [LABELS.imageNotes]: JSON.stringify(notes) };
}
