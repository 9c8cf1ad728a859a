/**
 * Controls that a runtime may leave out, as versions of gVisor do. Nothing is started without one of them, unless the
 * policy says that it may be missing. Those that bound what a plugin reaches or uses up are not among them.
 */
export const UNENFORCED = {
  tmp_files: 'how many files are in `/tmp` and `/scratch`; they fill the memory of the container',
  tmp_noexec: 'machine code from `/tmp` and `/scratch`; it runs behind the same seccomp profile',
  cpu_seconds: 'the CPU seconds after which the kernel itself ends a process; the deadline remains',
} as const;

export type UnenforcedControl = keyof typeof UNENFORCED;

export const UNENFORCED_CONTROLS = Object.keys(UNENFORCED) as readonly UnenforcedControl[];
