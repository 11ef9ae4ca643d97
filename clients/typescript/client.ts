// Makes one call with the client that openapi-typescript makes of the API's document: it asks for a quote and prints
// where it is. MILEPOST_API and MILEPOST_TOKEN say of whom; standard input is the request.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./milepost.js";

const client = createClient<paths>({
  baseUrl: process.env.MILEPOST_API ?? "",
  headers: { Authorization: `Bearer ${process.env.MILEPOST_TOKEN}` },
});
const request: components["schemas"]["QuoteRequest"] = JSON.parse(readFileSync(0, "utf8"));
const { data, error, response } = await client.POST("/quotes", { body: request });
if (!data) {
  throw new Error(`${response.status}: ${JSON.stringify(error)}`);
}
console.log(data.quoteId, data.status);
