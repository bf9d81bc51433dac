package objects

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestS3CredentialsRenewed: who never had credentials is told so, who had some waits until they can be renewed.
func TestS3CredentialsRenewed(t *testing.T) {
	var broken error
	c := &s3Credentials{from: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "test"}, broken
	})}
	retryer := newS3Retryer()
	broken = errors.New("dial tcp: connection refused")
	_, err := c.Retrieve(t.Context())
	if err == nil || retryer.IsErrorRetryable(err) || !errors.Is(s3Kind(err), fs.ErrPermission) {
		t.Errorf("at the beginning: %v", err)
	}
	broken = nil
	if _, err := c.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken = errors.New("access denied")
	if _, err = c.Retrieve(t.Context()); err == nil || !retryer.IsErrorRetryable(err) {
		t.Errorf("after they had been there: %v", err)
	}
}

// TestS3Waits: attempts are spaced wider and wider, up to half a minute, however many there are.
func TestS3Waits(t *testing.T) {
	for _, renewed := range []string{"", "true"} { // the SDK counts from 1, or from 0
		t.Setenv("AWS_NEW_RETRIES_2026", renewed)
		retryer := newS3Retryer()
		for _, attempt := range []int{0, 1, 2, 5, 20, 1 << 40} {
			wait, err := retryer.RetryDelay(attempt, errors.New("x"))
			least := min(lastWait, firstWait<<min(max(attempt-1, 0), 16)) / 2
			if err != nil || wait < least || wait > 2*least {
				t.Errorf("attempt %d: %v, %v; want %v to %v", attempt, wait, err, least, 2*least)
			}
		}
		if retryer.MaxAttempts() != 0 {
			t.Errorf("%d attempts", retryer.MaxAttempts())
		}
	}
}
