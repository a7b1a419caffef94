"""A cluster that has no database: what became of a job follows from the queue and from what it wrote."""

from cluster import Cluster
from place import NOT_DONE, Place, wait_until


def test_nothing_is_missed(cluster: Cluster, place: Place) -> None:
    ats = ("name=a,b,c", "at='${oc.select:ats.${name},-1}'", "+ats={b:1}", "breaks=raises", "size=30", "seconds=0.4")
    with cluster.without_accounting():
        assert place.submit(*ats).returncode == 0
        wait_until(lambda: "c/2" in place.stored(), "the middle of the jobs")
        cluster.kill(place.where("name=c"))
        assert place.wait() == NOT_DONE
        assert {name[-1]: state for name, state in place.states().items()} == {"a": "done", "b": "failed", "c": "done"}
        assert "broke on the way" in place.launchers("status").stdout
    whole = place.undisturbed(*ats)
    assert place.stored() == {key: whole[key] for key in whole if key[0] != "b" or key == "b/0"}
