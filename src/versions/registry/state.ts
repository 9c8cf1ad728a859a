/** Where one version of a plugin stands. `UNLOADED` is what is not known; nothing is kept of it. */
export const PLUGIN_STATES = ['UNLOADED', 'LOADED', 'ENABLED', 'DISABLED', 'ERROR'] as const;
export type PluginState = (typeof PLUGIN_STATES)[number];

/**
 * From where each step may be taken, and where it leads. `LOADED` is installed and not active: it is called by its
 * version only. `ENABLED` and `DISABLED` are of the active version. `ERROR` has a reason and takes no calls.
 */
export const TRANSITIONS = {
  load: { from: ['UNLOADED', 'LOADED', 'ENABLED', 'DISABLED', 'ERROR'], to: 'LOADED' },
  enable: { from: ['LOADED', 'DISABLED', 'ENABLED'], to: 'ENABLED' },
  disable: { from: ['LOADED', 'ENABLED', 'DISABLED'], to: 'DISABLED' },
  /** Another version is active from now on. */
  stepBack: { from: ['ENABLED', 'DISABLED', 'LOADED', 'ERROR'], to: 'LOADED' },
  fail: { from: ['LOADED', 'ENABLED', 'DISABLED', 'ERROR'], to: 'ERROR' },
  unload: { from: ['LOADED', 'ENABLED', 'DISABLED', 'ERROR'], to: 'UNLOADED' },
} as const satisfies Record<string, { readonly from: readonly PluginState[]; readonly to: PluginState }>;
export type Transition = keyof typeof TRANSITIONS;

export function mayTake(transition: Transition, from: PluginState): boolean {
  return (TRANSITIONS[transition].from as readonly PluginState[]).includes(from);
}
