/** A page that the navigation names. */
export interface NavigationItem {
  readonly path: string;
  readonly title: string;
  /** The letter after `g`. */
  readonly key: string;
  /** Path of its icon, in a square of 20. */
  readonly icon: string;
}

/** The navigation, in groups. */
export const NAVIGATION: readonly (readonly NavigationItem[])[] = [
  [
    { path: "/", title: "Now", key: "n", icon: "M3 10h3l2.5-6 3.5 12 2.5-6H17" },
    { path: "/timeline", title: "Timeline", key: "t", icon: "M3 5h8M6 10h10M4 15h6" },
    { path: "/calendar", title: "Calendar", key: "c", icon: "M4 5h12v11H4zM4 9h12M7 3v3M13 3v3" },
  ],
  [
    { path: "/jobs", title: "Jobs", key: "j", icon: "M4 6h12v10H4zM7 6V4h6v2M4 10h12" },
    { path: "/instances", title: "Instances", key: "i", icon: "M4 5h12M4 10h12M4 15h12" },
    {
      path: "/schedules",
      title: "Schedules",
      key: "s",
      icon: "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14M10 6v4l3 2",
    },
    {
      path: "/dead-letters",
      title: "Dead letters",
      key: "d",
      icon: "M3 5h14v10H3zM3 6l7 5 7-5",
    },
  ],
  [
    {
      path: "/incidents",
      title: "Incidents",
      key: "r",
      icon: "M10 3l8 14H2zM10 8v4M10 14v1",
    },
    { path: "/nodes", title: "Nodes", key: "o", icon: "M3 4h14v5H3zM3 11h14v5H3zM6 6v1M6 13v1" },
    {
      path: "/store",
      title: "Store",
      key: "b",
      icon:
        "M4 5c0-2.5 12-2.5 12 0v10c0 2.5-12 2.5-12 0zM4 5c0 2.5 12 2.5 12 0M4 10c0 2.5 12 2.5 12 0",
    },
    {
      path: "/config",
      title: "Config",
      key: "e",
      icon: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
    },
    { path: "/docs", title: "API", key: "a", icon: "M7 6l-4 4 4 4M13 6l4 4-4 4" },
  ],
];
