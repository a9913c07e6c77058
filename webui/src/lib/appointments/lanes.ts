/** Gives overlapping items of one column lanes side by side: a held slot beside the cancelled one it replaces, say. */
export function lanes<T>(items: readonly T[], begin: (item: T) => number, end: (item: T) => number): { item: T; lane: number; of: number }[] {
  const placed: { item: T; lane: number; of: number }[] = [];
  let cluster: { item: T; lane: number; of: number }[] = [];
  let clusterEnd = -Infinity;
  for (const item of [...items].sort((a, b) => begin(a) - begin(b) || end(a) - end(b))) {
    if (begin(item) >= clusterEnd) cluster = [];
    const busy = new Set(cluster.filter((other) => end(other.item) > begin(item)).map((other) => other.lane));
    let lane = 0;
    while (busy.has(lane)) lane += 1;
    const entry = { item, lane, of: 1 };
    cluster.push(entry);
    placed.push(entry);
    const of = Math.max(...cluster.map((other) => other.lane)) + 1;
    for (const other of cluster) other.of = of;
    clusterEnd = Math.max(...cluster.map((other) => end(other.item)));
  }
  return placed;
}
