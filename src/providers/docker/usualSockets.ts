import * as path from 'node:path';

/** What of a machine decides where engines put their sockets. */
export interface SocketFacts {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** Of the user; undefined on Windows. */
  readonly uid: number | undefined;
}

/**
 * Pure: where an engine listens that nobody has named, as its own installer sets it up: Docker, Docker Desktop, OrbStack,
 * Colima, Rancher Desktop, rootless Docker, and Podman last, as `docker` itself would only find it when it was told.
 */
export function usualSockets({ platform, env, homeDirectory, uid }: SocketFacts): string[] {
  if (platform === 'win32') {
    return ['docker_engine', 'dockerDesktopLinuxEngine', 'podman-machine-default'].map(name => `//./pipe/${name}`);
  }
  const { join } = path.posix;
  const own = (...names: string[]) => join(homeDirectory, ...names);
  const colima = env.COLIMA_HOME || own('.colima');
  const shared = [join(colima, 'default', 'docker.sock'), own('.rd', 'docker.sock')];
  if (platform === 'darwin') {
    return [
      ...[
        '/var/run/docker.sock',
        own('.docker', 'run', 'docker.sock'),
        own('.orbstack', 'run', 'docker.sock'),
        ...shared,
      ],
      own('.local', 'share', 'containers', 'podman', 'machine', 'podman.sock'),
      ...(env.TMPDIR ? [join(env.TMPDIR, 'podman', 'podman-machine-default-api.sock')] : []),
    ];
  }
  const runtime = env.XDG_RUNTIME_DIR || `/run/user/${uid ?? 0}`;
  return [
    ...['/var/run/docker.sock', join(runtime, 'docker.sock'), own('.docker', 'desktop', 'docker.sock'), ...shared],
    ...[join(runtime, 'podman', 'podman.sock'), '/run/podman/podman.sock'],
  ];
}
