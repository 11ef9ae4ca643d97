package s3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// checksums are what a body can be checked with, by header. The polynomial of CRC64NVME is written backwards, as
// hash/crc64 takes it.
var checksums = map[string]func() hash.Hash{
	"x-amz-checksum-crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"x-amz-checksum-crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"x-amz-checksum-crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"x-amz-checksum-sha1":      sha1.New,
	"x-amz-checksum-sha256":    sha256.New,
	"content-md5":              md5.New,
}

// chunked is the content encoding of a body that comes in chunks, each with its length, and headers after them.
const chunked = "aws-chunked"

// contentEncoding is the encoding of the object itself.
func contentEncoding(h http.Header) string {
	list := strings.FieldsFunc(strings.Join(h.Values("Content-Encoding"), ","), func(r rune) bool { return r == ',' || r == ' ' })
	return strings.Join(slices.DeleteFunc(list, func(e string) bool { return e == chunked }), ",")
}

// readBody reads the body of a PutObject, checks it against the checksums that came with it, and notes the one
// that S3 keeps.
func readBody(r *http.Request, o *object) ([]byte, error) {
	body, err := awsapi.ReadBody(r)
	if err != nil {
		if e := awsapi.AsError(err); e.Status == http.StatusRequestEntityTooLarge {
			return nil, &awsapi.Error{Code: "EntityTooLarge", Message: "Your proposed upload exceeds the maximum allowed size"}
		}
		return nil, err
	}
	headers := r.Header
	if strings.HasPrefix(headers.Get("X-Amz-Content-Sha256"), "STREAMING-") || strings.Contains(strings.Join(headers.Values("Content-Encoding"), ","), chunked) {
		var trailer textproto.MIMEHeader
		if body, trailer, err = unchunk(body); err != nil {
			return nil, awsapi.Errorf("IncompleteBody", "The request body terminated unexpectedly: %v", err)
		}
		if length := headers.Get("X-Amz-Decoded-Content-Length"); length != "" && length != strconv.Itoa(len(body)) {
			return nil, awsapi.Errorf("IncompleteBody", "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header")
		}
		headers = headers.Clone()
		maps.Copy(headers, trailer)
	}
	for name, make := range checksums {
		want := headers.Get(name)
		if want == "" {
			continue
		}
		h := make()
		h.Write(body)
		if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
			return nil, awsapi.Errorf("BadDigest", "The %s you specified did not match the calculated checksum.", name)
		}
		if name != "content-md5" {
			o.Algorithm, o.Checksum = name, want
		}
	}
	return body, nil
}

// unchunk takes the chunks out of a body. Their signatures are not verified, as no signature is.
func unchunk(encoded []byte) (body []byte, trailer textproto.MIMEHeader, err error) {
	r := bufio.NewReader(bytes.NewReader(encoded))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, nil, err
		}
		length, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";")
		n, err := strconv.ParseUint(length, 16, 31)
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			break
		}
		if int(n) > len(encoded) {
			return nil, nil, io.ErrUnexpectedEOF
		}
		body = slices.Grow(body, int(n))[:len(body)+int(n)]
		if _, err := io.ReadFull(r, body[len(body)-int(n):]); err != nil {
			return nil, nil, err
		}
		if end, err := r.ReadString('\n'); err != nil || end != "\r\n" {
			return nil, nil, errors.New("a chunk is longer than it says")
		}
	}
	trailer, err = textproto.NewReader(r).ReadMIMEHeader()
	if errors.Is(err, io.EOF) {
		err = nil // the blank line at the end may be missing
	}
	return body, trailer, err
}
