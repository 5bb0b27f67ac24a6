/**
 * Whether a path begins at a root of such a system. On Windows that is a drive or a share, such as
 * `\\wsl.localhost\Ubuntu`: `/Users/me` would be a folder of whichever drive is the current one. Names of devices
 * (`\\.\…`, `\\?\…`) lead to no folder.
 */
export const isAbsoluteOn = (path: string, platform: NodeJS.Platform): boolean =>
  platform === 'win32' ? /^([A-Za-z]:[\\/]|[\\/]{2}[^\\/?.][^\\/]*[\\/][^\\/])/.test(path) : path.startsWith('/');

/** Whether Windows takes a file's name for a device of its own, whatever ending it has. */
export const isDeviceOn = (name: string, platform: NodeJS.Platform): boolean =>
  platform === 'win32' && /^(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\.|$)/i.test(name);
