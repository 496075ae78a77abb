// The work that every system is given: the same three methods, the same values.
export const add = (a, b) => a + b;
export const echo = (value) => value;

const person = (i) => ({
  id: i, name: `customer number ${i}`, email: `customer${i}@example.com`, active: i % 2 === 0, score: i * 1.37,
  address: { street: `${i} Long Street`, city: 'Springfield', zip: '12345', geo: { lat: 47.3769 + i, lon: 8.5417 } },
});

/** A nested object of about 1 KB as JSON. Each `i` has other values under the same keys. */
export const nested = (i) => ({
  requestId: `req-${i}-abcdef`, user: person(i), items: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({ sku: `SKU-${n}-${i}`, quantity: n, price: n * 9.99, tags: ['new', 'sale'] })),
  meta: { created: 1_700_000_000_000 + i, source: 'bench', flags: [true, false, true], note: 'the quick brown fox jumps over the lazy dog and keeps running through the field' },
});
