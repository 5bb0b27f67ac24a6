import * as z from 'zod';
import { InstanceStatus } from '../model/instance.ts';
import { cut } from '../model/textCut.ts';
import { defineOperation } from './operation.ts';

const mostProviders = 30;
const mostFiles = 10;

export const getSwarmStatus = defineOperation({
  name: 'get_swarm_status',
  destroys: 'nothing',
  reveals: 'facts',
  undo: 'nothing',
  title: 'Get Swarm Status',
  description:
    'Tells how the whole swarm is: how many instances there are in each state, which providers there are, whether each answers and why not, how many resources of other swarms were found, and which state files cannot be read. Use it first to learn the providers\' ids, and when an instance is "unknown". Do not use it to find instances (list_swarm_instances). Takes no input. Returns {instances,byStatus,found,providers:[{id,type,reachable,problem?,hint?,instances}],unreadableFiles}.',
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({}),
  output: z.strictObject({
    instances: z.int(),
    byStatus: z.partialRecord(InstanceStatus, z.int()),
    found: z.int(),
    providers: z.array(
      z.strictObject({
        id: z.string(),
        type: z.string(),
        reachable: z.boolean(),
        problem: z.string().optional(),
        hint: z.string().optional(),
        instances: z.int(),
      }),
    ),
    providersLeftOut: z.int().optional(),
    unreadableFiles: z.array(z.string()),
  }),
  run: async swarm => {
    const { instances, byStatus, found, providers, quarantined } = swarm.getSwarmStatus();
    return {
      instances,
      byStatus,
      found,
      providers: providers.slice(0, mostProviders).map(({ id, type, reachable, problem, hint, instances: count }) => ({
        id,
        type,
        reachable,
        ...(problem !== undefined && { problem: cut(problem, 200) }),
        ...(hint !== undefined && { hint: cut(hint, 200) }),
        instances: count,
      })),
      ...(providers.length > mostProviders && { providersLeftOut: providers.length - mostProviders }),
      unreadableFiles: quarantined.slice(0, mostFiles).map(({ file, reason }) => cut(`${file}: ${reason}`, 200)),
    };
  },
});
