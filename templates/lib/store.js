// A small keyed store: IndexedDB, or memory where there is none (private windows, tests). Memory forgets with the page.

const NAME = 'vitrine';
const STORES = ['pins', 'people', 'receipts', 'deliveries'];

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function openDatabase(factory) {
  return new Promise((resolve, reject) => {
    const request = factory.open(NAME, 1);
    request.onupgradeneeded = () => STORES.forEach((s) => request.result.createObjectStore(s));
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
}

/** Memory only. `kept` is false. */
export function memoryStore() {
  const maps = Object.fromEntries(STORES.map((s) => [s, new Map()]));
  return {
    kept: false,
    get: async (store, key) => maps[store].get(key),
    all: async (store) => [...maps[store].values()],
    delete: async (store, key) => void maps[store].delete(key),
    update: async (store, key, change) => {
      const value = change(maps[store].get(key));
      if (value !== undefined) maps[store].set(key, value);
      return value;
    },
  };
}

/**
 * The page's store. `update(store, key, change)` reads, changes and writes in one transaction; `change` is synchronous and
 * returns undefined to leave things as they are.
 */
export async function openStore(factory = globalThis.indexedDB) {
  if (!factory) return memoryStore();
  let database;
  try {
    database = await openDatabase(factory);
  } catch {
    return memoryStore();
  }
  const finished = (tx) =>
    new Promise((resolve, reject) => {
      tx.oncomplete = () => resolve();
      tx.onabort = () => reject(tx.error);
      tx.onerror = () => reject(tx.error);
    });
  return {
    kept: true,
    get: (store, key) => done(database.transaction(store).objectStore(store).get(key)),
    all: (store) => done(database.transaction(store).objectStore(store).getAll()),
    delete: async (store, key) => {
      const tx = database.transaction(store, 'readwrite', { durability: 'strict' });
      tx.objectStore(store).delete(key);
      await finished(tx);
    },
    update: async (store, key, change) => {
      const tx = database.transaction(store, 'readwrite', { durability: 'strict' });
      const end = finished(tx);
      const request = tx.objectStore(store).get(key);
      let value;
      let thrown;
      request.onsuccess = () => {
        try {
          value = change(request.result);
          if (value !== undefined) tx.objectStore(store).put(value, key);
        } catch (cause) {
          thrown = { cause };
          tx.abort();
        }
      };
      await end.catch((cause) => {
        throw thrown ? thrown.cause : cause;
      });
      return value;
    },
  };
}
