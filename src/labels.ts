/**
 * Labels on everything lurkbox makes in an engine, from the create call on, so that a crash leaves nothing that
 * `prune` cannot find. They are ours alone: an image's own labels are never read for a decision about a container.
 */
export const LABELS = {
  /** `container`, `network` or `image`: everything that lurkbox makes in an engine has it. */
  kind: 'lurkbox.kind',
  /** Random id of the orchestrator that made it. */
  instance: 'lurkbox.instance',
  /** Which machine the orchestrator ran on; only there its process can be looked for. */
  host: 'lurkbox.host',
  /** Which run of that machine's kernel. */
  boot: 'lurkbox.boot',
  /** `<pid>:<start time>:<pid namespace>`: a pid alone can be reused. */
  process: 'lurkbox.process',
  /** What it was made for: an execution, or a sandbox that was started ahead. Others may have used it since. */
  execution: 'lurkbox.execution',
  plugin: 'lurkbox.plugin',
  version: 'lurkbox.version',
  /** Hash of everything an image was made from; same key, same image. */
  imageKey: 'lurkbox.image-key',
  /** `base`, `base-exec` or `plugin`. */
  imageRole: 'lurkbox.image-role',
  /** Image key of the base that a plugin image stands on. */
  imageBase: 'lurkbox.image-base',
  /** What of a plugin's packages will not work in its image: a list of texts for people, in JSON. */
  imageNotes: 'lurkbox.image-notes',
} as const;
