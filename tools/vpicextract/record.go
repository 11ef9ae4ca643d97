package main

import "fmt"

// record describes an extract for its readers and for the test that compares the hash.
func record(extract []byte, c counts) []byte {
	return fmt.Appendf(nil, `What vpic.bin is and where it comes from. Written by vpicextract together with it.

extract sha256: %s
extract bytes: %d
source package: %s (npm)
source tarball sha256: %s
source database sha256: %s
newest row of NHTSA: %s

Kept: %d WMIs, %d links to %d schemas, %d pattern rows (%d distinct element-pattern-value triples,
%d patterns, %d values), %d makes, %d engine models.
Dropped: %d pattern rows of schemas that no WMI uses, %d whose value is in no lookup table,
%d of elements that are private or never decoded from patterns. WMIs without a publication
date (ABT, LRW, XP7) are kept as public.

The data are those of NHTSA's vPIC, a work of the United States Government and in the public
domain. NHTSA does not endorse this product. %d of the pattern rows (schemas 28971 for WMI LRW and
28972 for XP7) are not NHTSA's: they were contributed to the package and come under its licence:

%s`, sum(extract), len(extract), packageName, tarballSHA256, databaseSHA256, c.newest.Format("2006-01-02"),
		c.wmis, c.links, c.schemas, c.rows, c.triples, c.keys, c.values, c.makes, c.engines,
		c.unlinkedRows, c.danglingRows, c.undecodedRows, c.communityRows, packageLicence)
}

// packageLicence is the notice of the package's LICENSE file.
const packageLicence = `ISC License

Copyright (c) 2023-present, CRDG

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`
