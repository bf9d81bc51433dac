package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
)

// TestKubernetesExample runs the command of the Indexed Job in the examples once for each of its pods, with the
// environment that Kubernetes gives them.
func TestKubernetesExample(t *testing.T) {
	text, err := os.ReadFile("../../jobs/examples/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Spec struct {
			CompletionMode string `yaml:"completionMode"`
			Completions    int
			Parallelism    int
			Policy         struct {
				Rules []struct {
					Action          string
					OnPodConditions []struct{ Type string } `yaml:"onPodConditions"`
				}
			} `yaml:"podFailurePolicy"`
			Template struct {
				Spec struct {
					Containers []struct{ Args []string }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "${RUN}", "r")), &job); err != nil {
		t.Fatal(err)
	}
	args := job.Spec.Template.Spec.Containers[0].Args
	if job.Spec.CompletionMode != "Indexed" || job.Spec.Completions < 2 || len(args) == 0 {
		t.Fatalf("read %+v", job)
	}
	if n := job.Spec.Completions; job.Spec.Parallelism != n || !slices.Contains(args, fmt.Sprintf("shard=/%d", n)) {
		t.Errorf("%d completions, %d at once, and %v", n, job.Spec.Parallelism, args)
	}
	// The first rule that fits counts: a pod that is evicted must not fail the job with its exit code.
	if rules := job.Spec.Policy.Rules; len(rules) != 2 || rules[0].Action != "Ignore" || len(rules[0].OnPodConditions) != 1 ||
		rules[0].OnPodConditions[0].Type != "DisruptionTarget" || rules[1].Action != "FailJob" {
		t.Errorf("rules %+v", rules)
	}
	for i := range args {
		args[i] = strings.Replace(args[i], "/etc/mapper/", "../../jobs/examples/", 1)
		args[i] = strings.Replace(args[i], ":9090", "127.0.0.1:0", 1)
	}
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "ids")
	for i := range 3 * job.Spec.Completions {
		write(t, filepath.Join(in, fmt.Sprintf("%d.csv", i)), fmt.Sprintf("customer_id,email,alt_email,mobile,country\n%d,a%d@example.com,,,US\n", i, i))
	}
	_, env := inProcess(t, sandbox.Options{})
	env = append(env, "EXPORT="+in, "TABLE="+out)
	for index := range job.Spec.Completions {
		code, output := runToEnd(t, command(t, append(env, fmt.Sprint("JOB_COMPLETION_INDEX=", index)), args...))
		last := index == job.Spec.Completions-1
		if code != exitDone || strings.Contains(output, "run r committed: ") != last {
			t.Fatalf("pod %d: exit code %d\n%s", index, code, output)
		}
	}
	v, err := jobs.Verify(t.Context(), new(objects.Store), out)
	if err != nil || v.Rows != 2*int64(3*job.Spec.Completions) {
		t.Errorf("%v\n%s", err, v)
	}
}
