// Where the items of a task lie on a plane, whose unit is a cell. A tile of items is a block of cells,
// read line by line; so are the blocks. Pure.

/** The plane of so many items for a view of that size. */
export function plane(total, tileSize, width, height) {
  const tiles = Math.max(1, Math.ceil(total / tileSize));
  if (tiles === 1) {
    const columns = Math.max(1, Math.ceil(Math.sqrt((total * width) / height)));
    const rows = Math.max(1, Math.ceil(total / columns));
    return { total, tileSize, tiles, across: 1, columns, rows, gap: 0, width: columns, height: rows };
  }
  const columns = Math.max(1, Math.round(Math.sqrt(tileSize * 1.6)));
  const rows = Math.ceil(tileSize / columns), gap = 1.5;
  let across = 1, best = 0;
  for (let tried = 1; tried <= Math.min(tiles, 1000); tried++) {
    const scale = Math.min(width / (tried * (columns + gap)), height / (Math.ceil(tiles / tried) * (rows + gap)));
    if (scale > best) [across, best] = [tried, scale];
  }
  return {
    total, tileSize, tiles, across, columns, rows, gap,
    width: across * (columns + gap) - gap,
    height: Math.ceil(tiles / across) * (rows + gap) - gap,
  };
}

/** The place of a tile's first cell. */
export function tilePlace(on, tile) {
  return {
    x: (tile % on.across) * (on.columns + on.gap),
    y: Math.floor(tile / on.across) * (on.rows + on.gap),
  };
}

/** The place of an item's cell. */
export function cellPlace(on, index) {
  const { x, y } = tilePlace(on, Math.floor(index / on.tileSize));
  const within = index % on.tileSize;
  return { x: x + (within % on.columns), y: y + Math.floor(within / on.columns) };
}

/** The item at a place, or -1. */
export function itemAt(on, x, y) {
  const across = Math.floor(x / (on.columns + on.gap)), down = Math.floor(y / (on.rows + on.gap));
  if (across < 0 || across >= on.across || down < 0) return -1;
  const column = Math.floor(x - across * (on.columns + on.gap)), row = Math.floor(y - down * (on.rows + on.gap));
  if (column >= on.columns || row >= on.rows) return -1;
  const within = row * on.columns + column, index = (down * on.across + across) * on.tileSize + within;
  return within < on.tileSize && index < on.total ? index : -1;
}

/** The tiles that a view shows, as their numbers. */
export function tilesIn(on, view) {
  const found = [];
  const blockX = on.columns + on.gap, blockY = on.rows + on.gap;
  const left = Math.max(0, Math.floor(view.x / blockX)), right = Math.min(on.across - 1, Math.floor((view.x + view.width / view.scale) / blockX));
  const top = Math.max(0, Math.floor(view.y / blockY)), bottom = Math.floor((view.y + view.height / view.scale) / blockY);
  for (let down = top; down <= bottom; down++)
    for (let across = left; across <= right; across++) {
      const tile = down * on.across + across;
      if (tile < on.tiles) found.push(tile);
    }
  return found;
}
