import type { Plan, PlanNode } from '../../schemas/plan.ts';
import { columns } from './table.ts';

/** Ids of the nodes a node waits for, in slot order, without repeats. */
export const neededBy = ({ inputs }: PlanNode): string[] => [...new Set(Object.values(inputs).flat())];

const paramsText = (node: PlanNode): string =>
  Object.entries(Object(node.params))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');

/** A plan for a terminal: nodes in order, what each waits for, where it runs and with what. */
export const planText = ({ name, nodes }: Plan): string => {
  const rows = nodes.map((node) => {
    const needs = neededBy(node).join(', ');
    return [node.id, node.policy.queue, needs ? `← ${needs}` : '(source)', node.required ? '' : 'may fail'];
  });
  const settings = nodes.map((node) => [node.id, paramsText(node)]);
  return [`${name}: ${nodes.length} nodes`, columns(rows), '\nWith', columns(settings)].join('\n');
};

/** A plan as a mermaid flowchart; nodes of the gpu queue are drawn round. */
export const mermaid = ({ nodes }: Plan): string => {
  const index = new Map(nodes.map(({ id }, i) => [id, `n${i}`]));
  const boxes = nodes.map(({ id, policy }) => {
    const [open, close] = policy.queue === 'gpu' ? ['([', '])'] : ['[', ']'];
    return `  ${index.get(id)}${open}"${id}"${close}`;
  });
  const arrows = nodes.flatMap((node) =>
    neededBy(node).map((id) => `  ${index.get(id)} --> ${index.get(node.id)}`),
  );
  return ['flowchart LR', ...boxes, ...arrows].join('\n');
};
