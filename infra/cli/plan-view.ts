import type { Plan, PlanNode } from '../../schemas/plan.ts';
import { nodesBefore, storedInputs } from '../../schemas/plan-inputs.ts';
import { columns } from './table.ts';

/** Ids of the nodes a node waits for, in slot order, without repeats. */
const neededBy = (node: PlanNode): string[] => [...new Set(nodesBefore(node))];

const paramsText = (node: PlanNode): string =>
  Object.entries(Object(node.params))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');

/** A plan for a terminal: nodes in order, what each waits for, where it runs and with what. */
export const planText = ({ name, nodes }: Plan): string => {
  const rows = nodes.map((node) => {
    const stored = storedInputs(node).map(({ kind, digest }) => `${kind} ${digest.slice(0, 12)}`);
    const needs = [...neededBy(node), ...stored].join(', ');
    return [node.id, node.policy.queue, node.required ? '' : 'may fail', needs ? `← ${needs}` : '(source)'];
  });
  const settings = nodes.map((node) => [node.id, paramsText(node)]);
  return [`${name}: ${nodes.length} nodes`, columns(rows), '\nWith', columns(settings)].join('\n');
};

/** Ids of all nodes that must have ended before a node starts. Nodes come after what they need. */
const ancestors = (nodes: readonly PlanNode[]): Map<string, Set<string>> => {
  const all = new Map<string, Set<string>>();
  for (const node of nodes)
    all.set(node.id, new Set(neededBy(node).flatMap((id) => [id, ...(all.get(id) ?? [])])));
  return all;
};

/**
 * A plan as a mermaid flowchart; nodes of the gpu queue are drawn round. An arrow is left out where a longer
 * way implies it, so the picture shows the order and not every input.
 */
export const mermaid = ({ nodes }: Plan): string => {
  const index = new Map(nodes.map(({ id }, i) => [id, `n${i}`]));
  const before = ancestors(nodes);
  const boxes = nodes.map(({ id, policy }) => {
    const [open, close] = policy.queue === 'gpu' ? ['([', '])'] : ['[', ']'];
    return `  ${index.get(id)}${open}"${id}"${close}`;
  });
  const arrows = nodes.flatMap((node) => {
    const needs = neededBy(node);
    const direct = needs.filter((id) => !needs.some((other) => before.get(other)?.has(id)));
    return direct.map((id) => `  ${index.get(id)} --> ${index.get(node.id)}`);
  });
  return ['flowchart LR', ...boxes, ...arrows].join('\n');
};
