"""Products that depend on each other, as a client lives with them through REST: a node, two ports, a circuit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.end_to_end.products import fill_in, l2vpn_pages, new_node, new_port, port_pages, run, subscription
from tests.end_to_end.running_system import Json, RunningSystem, done


def reasons(system: RunningSystem, subscription_id: str) -> dict[str, str | None]:
    """Why each workflow of a subscription may not run; None when it may."""
    answer = system.api.get(f"/api/subscriptions/workflows/{subscription_id}").json()
    kinds = ("modify", "validate", "reconcile", "terminate")
    return {found["name"]: found.get("reason") for kind in kinds for found in answer[kind]}


def refusal(system: RunningSystem, workflow: str, *pages: Json) -> str:
    """What is said to a start that is refused."""
    answer = fill_in(system, workflow, *pages)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["validation_errors"][0]["msg"])


def test_a_circuit_lives_over_two_ports_of_a_node(system: RunningSystem) -> None:
    node = new_node(system)
    monitoring = {"interval_seconds": 30, "alarms_to": "noc@example.net"}
    *pages, summary = port_pages(system, "Port 10G", node, monitored=True)
    first = run(system, "create_port", *pages, monitoring, summary)["current_state"]["subscription_id"]
    second = new_port(system, "Port 10G", node)
    made = subscription(system, first)
    assert (made["status"], made["speed"], made["insync"]) == ("active", 10_000, True)
    assert made["port"]["node"]["owner_subscription_id"] == node
    assert made["port"]["interface"]["name"] == "Fibre Interface"
    assert made["port"]["monitoring"]["alarms_to"] == "noc@example.net"
    assert subscription(system, second)["port"]["monitoring"] is None

    create = run(system, "create_l2vpn", *l2vpn_pages(system, [first, second], "100-110", "200"))
    assert done(create)[:4] == ["start", "construct_l2vpn_model", "store_process_subscription", "reserve_vlans"]
    l2vpn = create["current_state"]["subscription_id"]
    circuit = subscription(system, l2vpn)
    points = circuit["circuit"]["access_points"]
    assert [point["port"]["owner_subscription_id"] for point in points] == [first, second]
    assert points[0]["vlans"] == [{"first": 100, "last": 110}]
    assert circuit["circuit"]["is_point_to_point"] is True
    assert circuit["description"].startswith("L2VPN 500 Mbit/s between ")
    for workflow, subject in (("validate_port", first), ("validate_l2vpn", l2vpn), ("reconcile_l2vpn", l2vpn)):
        system.run(workflow, {"subscription_id": subject})

    # What is in use cannot be terminated or moved, and says by whom it is used.
    assert reasons(system, first)["terminate_port"] == "subscription.no_modify_subscription_in_use_by_others"
    for blocked, subject, user in (
        ("terminate_port", first, l2vpn),
        ("migrate_port", first, l2vpn),
        ("terminate_node_enrollment", node, first),
    ):
        said = refusal(system, blocked, {"subscription_id": subject})
        assert user in said
        assert "subscription.no_modify_subscription_in_use_by_others" in said

    # VLANs that one circuit has are refused to another, on the page where they are entered.
    pages = l2vpn_pages(system, [first, second], "90-101", "300")
    assert f"VLAN 100-101 is in use by subscription {l2vpn}" in refusal(system, "create_l2vpn", *pages[:3])

    # While the circuit is out of sync, its ports cannot be changed.
    fault = {"path": "/nso/circuits", "method": "PUT", "status": 500}
    assert system.lab.put("/lab/faults", json=fault).status_code == 200
    change = [{"ports": [first, second], "bandwidth": 800}, {"vlans": "100-120"}, {"vlans": "200"}, {}]
    started = fill_in(system, "modify_l2vpn", {"subscription_id": l2vpn}, *change)
    assert started.status_code == 201, started.text
    modify = started.json()["id"]
    assert "change_in_nso" in system.wait_for(modify, "failed")["failed_reason"]
    assert subscription(system, l2vpn)["insync"] is False
    assert reasons(system, first)["modify_port"] == "subscription.relations_not_in_sync"
    said = refusal(system, "modify_port", {"subscription_id": first})
    assert l2vpn in said
    assert "subscription.relations_not_in_sync" in said
    system.resume(modify)
    system.wait_for(modify, "completed")
    changed = subscription(system, l2vpn)["circuit"]
    assert (changed["bandwidth"], changed["access_points"][0]["vlans"]) == (800, [{"first": 100, "last": 120}])
    run(system, "modify_port", {"subscription_id": first}, {"mtu": 9100, "monitored": False}, {})
    assert subscription(system, first)["port"]["monitoring"] is None
    assert subscription(system, l2vpn)["circuit"]["access_points"][0]["port"]["mtu"] == 9100

    # Once the circuit has ended, the ports are free: one is moved to another speed, the other given back.
    system.run("terminate_l2vpn", {"subscription_id": l2vpn})
    assert subscription(system, l2vpn)["status"] == "terminated"
    form = system.post(
        "migrate_port", {"subscription_id": first}, {"new_product": system.product_id("Port 100G")}
    ).json()["form"]
    chosen = {"new_esdb_port_id": form["properties"]["new_esdb_port_id"]["enum"][0]}
    run(system, "migrate_port", {"subscription_id": first}, {"new_product": system.product_id("Port 100G")}, chosen, {})
    moved = subscription(system, first)
    assert (moved["product"]["name"], moved["speed"]) == ("Port 100G", 100_000)
    assert moved["port"]["subscription_instance_id"] == made["port"]["subscription_instance_id"]
    for port in (first, second):
        system.run("terminate_port", {"subscription_id": port})
        assert subscription(system, port)["description"].endswith("(given back)")
    system.run("terminate_node_enrollment", {"subscription_id": node})

    history = system.api.get(f"/api/subscriptions/{l2vpn}/changes", params={"page_size": 100}).json()
    vlans = [row for row in history if row["path"] == "circuit.access_points[0].vlans"]
    assert {row["after"][0]["last"] for row in vlans} == {110, 120}
    assert {row["step_key"] for row in vlans} == {"reserve_vlans"}


def test_of_two_circuits_that_want_a_vlan_at_the_same_moment_exactly_one_gets_it(system: RunningSystem) -> None:
    node = new_node(system)
    ports = [new_port(system, "Port 10G", node) for _ in range(2)]
    pages = l2vpn_pages(system, ports, "100", "200")
    for _ in range(4):
        with ThreadPoolExecutor(2) as pool:
            started = [str(process_id) for process_id in pool.map(lambda _: system.start("create_l2vpn", *pages), "12")]
        ended = [system.wait_for(process_id, "completed", "failed") for process_id in started]
        winner, loser = sorted(ended, key=lambda process: str(process["last_status"]))
        assert (winner["last_status"], loser["last_status"]) == ("completed", "failed")
        l2vpn = winner["current_state"]["subscription_id"]
        assert f"VLAN 100 is in use by subscription {l2vpn}" in loser["failed_reason"]
        assert "reserve_vlans" in loser["failed_reason"]
        assert subscription(system, loser["current_state"]["subscription_id"])["circuit"]["access_points"] == []
        system.run("terminate_l2vpn", {"subscription_id": l2vpn})
    for port in ports:
        system.run("terminate_port", {"subscription_id": port})
    system.run("terminate_node_enrollment", {"subscription_id": node})
