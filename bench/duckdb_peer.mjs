// The same grouping in DuckDB, over its own columnar copy in memory.  Takes the
// CSV file of (customer_id, ordered_at, amount), the threads and the rounds;
// prints "what|seconds" for loading and for every round.
import { createRequire } from 'node:module';

const [, , folder, file, threads, rounds] = process.argv;
const require = createRequire(`${folder}/`);
const { DuckDBInstance } = require('@duckdb/node-api');
const instance = await DuckDBInstance.create(':memory:', { threads });
const db = await instance.connect();

async function timed(what, sql) {
	const started = performance.now();
	const rows = (await db.runAndReadAll(sql)).getRows();
	console.log(`${what}|${(performance.now() - started) / 1000}`);
	return rows;
}

await timed('load', `CREATE TABLE orders AS SELECT * FROM read_csv('${file}', header = false,
	columns = {'customer_id': 'BIGINT', 'ordered_at': 'TIMESTAMP', 'amount': 'DECIMAL(12,2)'})`);
const grouped = (columns) => `SELECT count(*)${columns.map((c, n) => `, count(c${n})`).join('')}
	FROM (SELECT customer_id${columns.map((c, n) => `, ${c} AS c${n}`).join('')} FROM orders GROUP BY customer_id) AS g`;
let found;
for (let round = 0; round < Number(rounds); round++) {
	await timed('count', grouped(['count(*)']));
	found = await timed('days', grouped(['min(ordered_at)', 'max(ordered_at)', 'count(*)', 'sum(amount)', 'count(DISTINCT ordered_at::DATE)']));
}
console.log(`customers|${found[0][0]}`);
console.log(`version|${(await db.runAndReadAll('SELECT version()')).getRows()[0][0]}`);
