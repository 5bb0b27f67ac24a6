import { describe, expect, test } from 'vitest';
import { whereabouts } from '../../../src/model/machineIdentity.ts';
import { type MachineFacts, machineOf, readMachine } from '../../../src/storage/thisMachine.ts';

const linux: MachineFacts = {
  installation: '3d1219c7c4c5404aaa1f6d2a48adfda4\n',
  boot: '62b6ae15-1888-40a6-aed8-734c5687252a\n',
  pidNamespace: 'pid:[4026531836]',
  hostName: 'anns-laptop',
};
const windows: MachineFacts = {
  installation: [
    '',
    'HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography',
    '    MachineGuid    REG_SZ    1b2c3d4e-0000-4a5b-8c9d-aabbccddeeff',
    '',
  ].join('\r\n'),
  boot: '',
  pidNamespace: '',
  hostName: 'ANNS-PC',
};
const mac: MachineFacts = {
  installation: `+-o Root  <class IORegistryEntry>\n  "IOPlatformSerialNumber" = "C02"\n    "IOPlatformUUID" = "A1B2C3D4-E5F6-4711-8899-AABBCCDDEEFF"\n`,
  boot: '7A5E3A1C-9B1D-4C8E-9D0F-0123456789AB\n',
  pidNamespace: '',
  hostName: 'anns-mac.local',
};
const systems = [
  ['linux', linux],
  ['win32', windows],
  ['darwin', mac],
] as const;

describe.each(systems)('a machine of %s', (platform, facts) => {
  const here = machineOf(platform, facts);

  test('has an id that tells nothing of what it is made of, and is the same each time', () => {
    expect(here.id).toMatch(/^[0-9a-f]{12}$/);
    expect(machineOf(platform, facts)).toEqual(here);
    expect(JSON.stringify(here)).not.toContain(facts.installation.trim().slice(0, 8));
    expect(whereabouts(here, here)).toBe('here');
  });

  test('is another one with another installation, whatever its name', () => {
    const other = machineOf(platform, { ...facts, installation: facts.installation.replace(/[4]/g, '5') });
    expect(whereabouts(other, here)).toBe('elsewhere');
  });

  test('without an installation that can be read is known by its name, and never believed to be gone', () => {
    const unknown = machineOf(platform, { ...facts, installation: 'what is this' });
    expect(unknown.id).toBe('');
    expect(whereabouts(unknown, unknown)).toBe('here');
    expect(whereabouts({ ...unknown, host: 'another' }, unknown)).toBe('elsewhere');
    expect(whereabouts({ ...unknown, boot: 'e0' }, unknown)).toBe('elsewhere');
  });
});

describe('where processes live', () => {
  const here = machineOf('linux', linux);

  test('what was started before the machine was, is gone', () => {
    expect(whereabouts({ ...here, boot: 'e0', pids: '4026532331' }, here)).toBe('gone');
  });

  test('another container of the same machine is elsewhere, in its own view and in the machine’s', () => {
    const container = machineOf('linux', { ...linux, pidNamespace: 'pid:[4026532331]', hostName: 'f00dcafe' });
    expect(whereabouts(container, here)).toBe('elsewhere');
    expect(whereabouts(here, container)).toBe('elsewhere');
  });

  test('an image of a machine has its id, but not its name: it may run beside it', () => {
    expect(whereabouts({ ...here, boot: 'a0', host: 'a-copy' }, here)).toBe('elsewhere');
  });

  test('a machine that changed its name while it runs is the same', () => {
    expect(whereabouts({ ...here, host: 'renamed' }, here)).toBe('here');
  });
});

test('this machine is read', async () => {
  const machine = await readMachine();
  expect(whereabouts(await readMachine(), machine)).toBe('here');
  expect(machine.boot).toMatch(process.platform === 'win32' ? /^$/ : /^[0-9a-f]{12}$/);
});
