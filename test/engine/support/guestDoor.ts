import Dockerode from 'dockerode';
import { openPassingDoor, type Passage, type PassingDoor } from './passingDoor.ts';

/** The label of all that tests make on somebody's engine. Its value names the run, and the file of tests. */
export const guestLabel = 'remote-swarm-test';
/** Images of the tests: their own, and what they have put into a registry on loopback. */
const ownImage = /^(remote-swarm-test\/|(127\.0\.0\.1|localhost):\d+\/)/;

/** What is made with a name, and tells its labels. */
type Kind = 'containers' | 'volumes' | 'networks' | 'images';

/**
 * A socket through which a test reaches an engine that is somebody's own, as if it were an empty one of the test: what is
 * made gets a label, lists show only what has it, and what lacks it can't be changed.
 */
export function openGuestDoor(engineSocket: string, socket: string, guest: string): Promise<PassingDoor> {
  const docker = new Dockerode({ socketPath: engineSocket });
  const isOurs = async (kind: Kind, id: string) => {
    const labels = await labelsOf(docker, kind, id);
    // The engine says best itself that there is no such thing.
    return labels === undefined || labels[guestLabel] === guest;
  };
  return openPassingDoor(engineSocket, socket, async (method, address): Promise<Passage> => {
    const url = new URL(address, 'http://engine');
    const [, kind = '', id = '', ...rest] = url.pathname
      .replace(/^\/v[\d.]+(?=\/)/, '')
      .split('/')
      .map(decodeURIComponent);
    const said = () => ({ url: `${url.pathname}${url.search}` });
    const isList = kind === 'containers' ? id === 'json' : (kind === 'volumes' || kind === 'networks') && id === '';
    if (method === 'GET' || method === 'HEAD') {
      if (!isList) return {};
      url.searchParams.set('filters', withLabel(url.searchParams.get('filters'), guest));
      return said();
    }
    if (kind === 'containers' || kind === 'volumes' || kind === 'networks') {
      if (id === 'create')
        return { edit: body => ({ ...body, Labels: { ...(body.Labels ?? {}), [guestLabel]: guest } }) };
      if (id !== 'prune' && (await isOurs(kind, id))) return {};
      return { refused: `the tests did not make ${kind} ${id}` };
    }
    if (kind === 'commit') {
      if (!(await isOurs('containers', url.searchParams.get('container') ?? '')))
        return { refused: 'not of the tests' };
      url.searchParams.append('changes', `LABEL ${guestLabel}=${guest}`);
      return said();
    }
    if (kind === 'images' && id === 'create') {
      if (url.searchParams.has('fromSrc')) url.searchParams.append('changes', `LABEL ${guestLabel}=${guest}`);
      return said();
    }
    if (kind === 'exec' || (kind === 'images' && id === 'load')) return {};
    const image = [id, ...rest].join('/').replace(/\/(tag|push)$/, '');
    if (kind === 'images' && (ownImage.test(image) || (await isOurs('images', image)))) return {};
    return { refused: `${kind} ${id} is not for tests` };
  });
}

/** Filters as they were asked for, old ones with a value each among them, and the label. */
function withLabel(asked: string | null, guest: string): string {
  const filters = JSON.parse(asked ?? '{}') as Record<string, string[] | Record<string, boolean>>;
  const { label = [] } = filters;
  const labels = Array.isArray(label) ? label : Object.keys(label);
  return JSON.stringify({ ...filters, label: [...labels, `${guestLabel}=${guest}`] });
}

async function labelsOf(docker: Dockerode, kind: Kind, id: string): Promise<Record<string, string> | undefined> {
  try {
    if (kind === 'containers') return (await docker.getContainer(id).inspect()).Config.Labels;
    if (kind === 'images') return (await docker.getImage(id).inspect()).Config.Labels ?? {};
    const { Labels } = await (kind === 'volumes' ? docker.getVolume(id) : docker.getNetwork(id)).inspect();
    return Labels ?? {};
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}
