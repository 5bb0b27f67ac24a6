import * as z from 'zod';

/** What a machine is called, as it may be shown and written anywhere. */
export const HostName = z
  .string()
  .max(253)
  .regex(/^[\w.-]+$/, 'must be letters, digits, dots, dashes and underscores');

/**
 * Where processes live: one boot of one machine, and on Linux one PID namespace of it, since each container counts its
 * own processes. Two containers are two machines, also when they share a kernel and `/etc/machine-id`.
 */
export const MachineIdentity = z.object({
  /** Of the installation of the operating system; a digest, since the id itself is not to be handed on. Empty: unknown. */
  id: z.string().regex(/^[0-9a-f]{0,64}$/, 'must be hexadecimal digits'),
  /** Another one after each start of the machine; empty where the system does not tell. */
  boot: z.string().regex(/^[0-9a-f]{0,64}$/, 'must be hexadecimal digits'),
  /** Linux: the number of the PID namespace. Empty elsewhere. */
  pids: z.string().regex(/^\d{0,20}$/, 'must be digits'),
  /** The host's name: for words, and one more thing that tells two machines of one id apart. */
  host: HostName,
});
export type MachineIdentity = z.infer<typeof MachineIdentity>;

/**
 * Whether what was started `there` can be judged, signalled and replaced by who is `here`. `gone`: it ended with an
 * earlier boot of this machine. `elsewhere`: it may run, and nobody here can tell. In doubt it is elsewhere.
 */
export function whereabouts(there: MachineIdentity, here: MachineIdentity): 'here' | 'gone' | 'elsewhere' {
  if (there.id !== here.id) return 'elsewhere';
  // Without an id of its own a machine is known by its name, as far as that goes.
  const isSameHost = there.host === here.host;
  if (there.boot === here.boot) {
    return there.pids === here.pids && (here.id !== '' || isSameHost) ? 'here' : 'elsewhere';
  }
  // Images of machines are copied with their ids: only the name as well says that it is this one that was started anew.
  return here.id !== '' && isSameHost ? 'gone' : 'elsewhere';
}
