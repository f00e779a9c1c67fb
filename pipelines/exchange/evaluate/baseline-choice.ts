/** Which metrics the floor is scored by: those that train nothing, all, or none. */
export const floors = ['cheap', 'all', 'none'] as const;
export type Floor = (typeof floors)[number];
