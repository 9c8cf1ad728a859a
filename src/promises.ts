/** What lurkbox promises of every execution. Each is proven by the tests that cite its id; docs/threat-model.md lists them. */
export const PROMISES = {
  P1: 'Every execution settles with exactly one outcome from the closed set.',
  P2: "Nothing is left: after any execution, and within 10 s of the orchestrator's death by SIGKILL, no container, network or temporary file of lurkbox remains.",
  P3: 'A complete result written before the deadline is never lost; a result is never invented.',
  P4: 'Settled by the deadline + 2 s, process dead by the deadline + 5 s, even if the plugin fights it.',
  P5: 'Memory of the orchestrator and of the engine stays bounded whatever the plugin prints.',
  P6: 'A control that cannot be applied stops the start (`ENGINE_INSECURE`); nothing runs weaker than its grant.',
  P7: 'Nothing of one execution is visible to the next, or to another plugin.',
  P8: 'Cleaning never touches a container that is not of lurkbox.',
  P9: 'At most one start per execution; no hidden retry after the start was sent.',
  P10: 'Nothing that a plugin, a package, a folder, a peer or an engine sends costs the orchestrator more than a stated bound of memory, time and disk, or makes it touch a file outside of its own.',
} as const;

export type PromiseId = keyof typeof PROMISES;
