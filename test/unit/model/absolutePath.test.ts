import { expect, test } from 'vitest';
import { isAbsoluteOn, isDeviceOn } from '../../../src/model/absolutePath.ts';

test.each([
  ['C:\\Users\\me', { win32: true, linux: false }],
  ['c:/Users/me', { win32: true, linux: false }],
  ['\\\\wsl.localhost\\Ubuntu\\home\\me\\app', { win32: true, linux: false }],
  ['\\\\wsl$\\Debian\\home', { win32: true, linux: false }],
  ['//server/share/folder', { win32: true, linux: true }],
  ['/Users/me', { win32: false, linux: true }],
  ['\\Users\\me', { win32: false, linux: false }],
  ['C:Users', { win32: false, linux: false }],
  ['C:', { win32: false, linux: false }],
  ['\\\\.\\PhysicalDrive0', { win32: false, linux: false }],
  ['\\\\?\\C:\\Users', { win32: false, linux: false }],
  ['\\\\server', { win32: false, linux: false }],
  ['src', { win32: false, linux: false }],
  ['', { win32: false, linux: false }],
])('the path %j is absolute where it is', (path, { win32, linux }) => {
  expect([isAbsoluteOn(path, 'win32'), isAbsoluteOn(path, 'linux'), isAbsoluteOn(path, 'darwin')]).toEqual([
    ...[win32, linux, linux],
  ]);
});

test.each(['nul', 'NUL', 'con', 'aux.json', 'prn .txt', 'com1', 'lpt9.tar.gz', 'com¹'])(
  '%j is a device on Windows',
  name => {
    expect([isDeviceOn(name, 'win32'), isDeviceOn(name, 'linux')]).toEqual([true, false]);
  },
);

test.each(['null', 'console', 'com', 'com10', 'aux-1', 'my.nul', 'docker'])('%j is none', name =>
  expect(isDeviceOn(name, 'win32')).toBe(false),
);
